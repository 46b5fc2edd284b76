import KubeModel
import ServiceProxy
import Testing

/// When changes go to the backend.
struct ProxyLoopTests {
  @Test func nothingIsProgrammedBeforeEverySourceIsKnown() async {
    await LoopUnderTest.running { test in
      test.loop.submit([.service(service("a", ["10.96.0.1"]))])
      await quiesce()
      #expect(await test.batches().isEmpty)
      test.loop.submit([.service(service("b", ["10.96.0.2"]))])
      await test.loop.sourcesAreComplete()
      #expect(await eventually { await test.loop.status.isLoaded })
      let batches = await test.batches()
      #expect(batches.map { [$0.reset, $0.complete] } == [[true, true]])
      #expect(batches[0].upserts.map(\.key) == ["default/a:/TCP/4", "default/b:/TCP/4"])
    }
  }

  @Test func aNodeWithoutServicesIsLoadedToo() async {
    await LoopUnderTest.running { test in
      await test.loop.sourcesAreComplete()
      #expect(await eventually { await test.loop.status.isLoaded })
      let empty = ProxyBatch(generation: 1, reset: true, complete: true, upserts: [], removals: [], healthCheckPorts: [])
      #expect(await test.batches() == [empty])
    }
  }

  @Test func aChangeGoesOutAtOnceWhenIdle() async {
    await LoopUnderTest.loaded { test in
      test.loop.submit([.slice(slice(endpoint("10.1.0.1")))])
      #expect(await eventually { await test.batches().count == 2 })
      let batch = await test.batches()[1]
      #expect(!batch.reset && batch.generation == 2)
      #expect(batch.upserts.flatMap(\.endpoints).map(\.address) == [ip("10.1.0.1")])
      #expect(await eventually { await test.loop.status.committedGeneration == 2 })
      // Nobody waited for a timer on the way.
      #expect(test.sleep.lengths.isEmpty)
    }
  }

  @Test func changesDuringASyncGoOutTogether() async {
    await LoopUnderTest.loaded { test in
      await test.backend.hold()
      test.loop.submit([.slice(slice(endpoint("10.1.0.1")))])
      #expect(await eventually { await test.batches().count == 2 })
      for number in 2...9 { test.loop.submit([.slice(slice(endpoint("10.1.0.\(number)")))]) }
      test.loop.submit([.service(service("b", ["10.96.0.2"]))])
      #expect(await test.batches().count == 2)
      await test.backend.release()
      #expect(await eventually { await test.loop.status.committedGeneration == 3 })
      let last = await test.batches()[2]
      #expect(last.upserts.map(\.key) == ["default/b:/TCP/4", "default/web:/TCP/4"])
      #expect(last.upserts[1].endpoints.map(\.address) == [ip("10.1.0.9")])
      await quiesce()
      #expect(await test.batches().count == 3)
    }
  }

  @Test func aChangeWithoutEffectIsCommittedWithoutABatch() async {
    await LoopUnderTest.loaded { test in
      test.loop.submit([.slice(slice(endpoint("10.1.0.1", .notReady)))])
      #expect(await test.loop.commit(within: .seconds(1)))
      #expect(await test.batches().count == 1)
    }
  }

  @Test func aLargeLoadIsSplit() async {
    await LoopUnderTest.running { test in
      let many = (0..<(ProxyLoop.fullLoadBound + 1)).map { number in
        ServiceChange.service(service("s\(number)", ["10.96.\(number / 250).\(number % 250 + 1)"]))
      }
      test.loop.submit(many)
      await test.loop.sourcesAreComplete()
      #expect(await eventually { await test.loop.status.isLoaded })
      #expect(await test.batches().map(\.upserts.count) == [ProxyLoop.fullLoadBound, 1])
    }
  }

  @Test func whoListensIsToldAfterEachSync() async {
    await LoopUnderTest.loaded { test in
      #expect(await eventually { test.settles.current >= 1 })
      let before = test.settles.current
      test.loop.submit([.service(service { $0.externalIPs = [ip("2001:db8::1")] })])
      #expect(await eventually { test.settles.current > before })
      #expect(await test.loop.issues()["default/web"]?.map(\.fieldPath) == ["spec.externalIPs[0]"])
      #expect(await test.loop.issues(of: "default/web").count == 1)
      #expect(await test.loop.report(of: "default/web")?.ports.count == 1)
    }
  }
}
