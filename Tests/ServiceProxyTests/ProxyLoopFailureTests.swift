import KubeModel
import ServiceProxy
import Testing

/// What happens when the backend fails.
struct ProxyLoopFailureTests {
  @Test func aFailedBatchIsFollowedByAFullLoadAfterAWait() async {
    await LoopUnderTest.loaded { test in
      await test.backend.answer(.fail("EBUSY"), .fail("EBUSY again"))
      test.loop.submit([.slice(slice(endpoint("10.1.0.1")))])
      #expect(await eventually { test.sleep.lengths == [.milliseconds(250)] })
      var status = await test.loop.status
      #expect(status.consecutiveFailures == 1 && status.committedGeneration == 1)
      #expect(status.lastError == "fake: sync: EBUSY (errno 16)")
      #expect(await test.batches().count == 2)

      test.sleep.wake(.milliseconds(250))
      #expect(await eventually { test.sleep.lengths == [.milliseconds(500)] })
      test.sleep.wake(.milliseconds(500))
      #expect(await eventually { await test.loop.status.lastError == nil })
      let batches = await test.batches()
      #expect(batches.map(\.reset) == [true, false, true, true])
      #expect(batches.map(\.generation) == [1, 2, 3, 4])
      #expect(batches[3].upserts.flatMap(\.endpoints).map(\.address) == [ip("10.1.0.1")])
      status = await test.loop.status
      #expect(status.consecutiveFailures == 0 && status.committedGeneration == 4)
    }
  }

  @Test func changesDuringTheWaitAreInTheNextLoad() async {
    await LoopUnderTest.loaded { test in
      await test.backend.answer(.fail("no"))
      test.loop.submit([.slice(slice(endpoint("10.1.0.1")))])
      #expect(await eventually { test.sleep.lengths.count == 1 })
      test.loop.submit([.serviceRemoved("default/web")])
      test.sleep.wake(.milliseconds(250))
      #expect(await eventually { await test.loop.status.committedGeneration == 3 })
      #expect(await test.batches().last?.upserts == [])
    }
  }

  @Test func theWaitDoublesUpToThirtySeconds() {
    let waits = (1...12).map { ProxyLoop.retryDelay(afterFailures: $0) }
    #expect(waits.prefix(7) == [.milliseconds(250), .milliseconds(500), .seconds(1), .seconds(2), .seconds(4), .seconds(8), .seconds(16)])
    #expect(waits.suffix(5).allSatisfy { $0 == .seconds(30) })
  }

  @Test func aServicePortThatFailsAloneIsNamedTriedAgainAndCleared() async {
    await LoopUnderTest.loaded { test in
      let key = "default/web:/TCP/4"
      await test.backend.answer(.failing([key: "set is full"]), .failing([key: "still full"]))
      test.loop.submit([.slice(slice(endpoint("10.1.0.1"))), .service(service("b", ["10.96.0.2"]))])
      #expect(await eventually { await test.loop.status.failures == [key: "set is full"] })
      // The rest of the batch stands: no full load, and nobody has to wait for the port.
      #expect(await test.loop.commit(within: .seconds(1)))
      #expect(await test.loop.status.consecutiveFailures == 0)

      #expect(await eventually { test.sleep.lengths == [.milliseconds(250)] })
      test.sleep.wake(.milliseconds(250))
      #expect(await eventually { await test.loop.status.failures == [key: "still full"] })
      #expect(await eventually { test.sleep.lengths == [.milliseconds(500)] })
      test.sleep.wake(.milliseconds(500))
      #expect(await eventually { await test.loop.status.failures.isEmpty })
      let batches = await test.batches()
      #expect(batches.map(\.reset) == [true, false, false, false])
      #expect(batches.suffix(2).map { $0.upserts.map(\.key) } == [[key], [key]])
    }
  }

  @Test func aFailureIsForgottenWithItsService() async {
    await LoopUnderTest.loaded { test in
      let key = "default/web:/TCP/4"
      await test.backend.answer(.failing([key: "set is full"]))
      test.loop.submit([.slice(slice(endpoint("10.1.0.1")))])
      #expect(await eventually { await test.loop.status.failures.count == 1 })
      test.loop.submit([.serviceRemoved("default/web")])
      #expect(await eventually { await test.loop.status.failures.isEmpty })
    }
  }
}
