import KubeModel
import ServiceProxy
import Testing

/// When the proxy calls itself unhealthy: not when a sync fails, but when changes wait too long for the kernel.
struct ProxyLoopHealthTests {
  @Test func onlyTheAgeOfTheOldestChangeCounts() {
    func health(_ since: Int64, now: Int64) -> ProxyHealth {
      ProxyHealth(waitingSince: since, now: now, limit: .nanoseconds(60), lastUpdated: 1)
    }
    #expect(health(0, now: 1000).isHealthy && health(0, now: 1000).waiting == .zero)
    #expect(health(100, now: 159).isHealthy && !health(100, now: 160).isHealthy)
    // A clock that went back.
    #expect(health(100, now: 50).waiting == .zero)
  }

  @Test func failuresAloneAreNoReasonForAlarm() async {
    await LoopUnderTest.loaded { test in
      await test.backend.answer(.fail("a"), .fail("b"), .fail("c"), .fail("d"))
      test.loop.submit([.slice(slice(endpoint("10.1.0.1")))])
      for wait in [250, 500, 1000, 2000] {
        #expect(await eventually { test.sleep.lengths == [.milliseconds(wait)] })
        #expect(await test.loop.health.isHealthy)
        test.clock.advance(.milliseconds(wait))
        test.sleep.wake(.milliseconds(wait))
      }
      #expect(await eventually { await test.loop.status.lastError == nil })
      #expect(await test.loop.health.waiting == .zero)
    }
  }

  @Test func changesThatFailForTwoPeriodsMakeItUnhealthyUntilTheyAreCommitted() async {
    await LoopUnderTest.loaded { test in
      await test.backend.answer(.fail("no"))
      test.loop.submit([.slice(slice(endpoint("10.1.0.1")))])
      #expect(await eventually { test.sleep.lengths == [.milliseconds(250)] })
      test.clock.advance(.seconds(59))
      #expect(await test.loop.health.isHealthy)
      // A younger change does not make the older one younger.
      test.loop.submit([.slice(slice(endpoint("10.1.0.2")))])
      test.clock.advance(.seconds(1))
      #expect(await !test.loop.health.isHealthy)
      test.sleep.wake(.milliseconds(250))
      #expect(await eventually { await test.loop.health.isHealthy })
    }
  }

  @Test func aChangeUnderWayInABackendThatHangsWaits() async {
    await LoopUnderTest.loaded { test in
      await test.backend.hold()
      test.loop.submit([.slice(slice(endpoint("10.1.0.1")))])
      #expect(await eventually { await test.batches().count == 2 })
      test.clock.advance(.seconds(60))
      let health = await test.loop.health
      #expect(!health.isHealthy && health.waiting == .seconds(60))
      await test.backend.release()
      #expect(await eventually { await test.loop.health.isHealthy })
    }
  }

  @Test func anIdleProxyStaysHealthy() async {
    await LoopUnderTest.loaded { test in
      test.clock.advance(.seconds(100_000))
      #expect(await test.loop.health.isHealthy)
    }
  }

  @Test func aProxyThatWaitsForItsSourcesIsHealthyButNotOneWhoseFirstLoadFails() async {
    await LoopUnderTest.running { test in
      test.loop.submit([.service(service())])
      await quiesce()
      test.clock.advance(.seconds(1000))
      #expect(await test.loop.health.isHealthy)
      await test.backend.answer(.fail("no"))
      await test.loop.sourcesAreComplete()
      #expect(await eventually { test.sleep.lengths == [.milliseconds(250)] })
      #expect(await test.loop.health.isHealthy)
      test.clock.advance(.seconds(60))
      #expect(await !test.loop.health.isHealthy)
    }
  }

  @Test func aNodeThatIsAnotherWaitsForTheKernelToo() async {
    await LoopUnderTest.loaded { test in
      await test.backend.answer(.fail("no"))
      test.loop.submit([.service(service("b", ["10.96.0.2"]))])
      #expect(await eventually { test.sleep.lengths == [.milliseconds(250)] })
      test.sleep.wake(.milliseconds(250))
      #expect(await eventually { await test.loop.status.lastError == nil })
      await test.backend.hold()
      var view = NodeView(name: here)
      view.masqueradeAll = true
      await test.loop.setNode(view)
      #expect(await eventually { await test.batches().count == 4 })
      test.clock.advance(.seconds(61))
      #expect(await !test.loop.health.isHealthy)
    }
  }

  @Test func whatMakesNoWorkDoesNotWait() async {
    await LoopUnderTest.loaded { test in
      let settled = test.settles.current
      await test.loop.setNode(resolver.node)
      #expect(await eventually { test.settles.current > settled })
      test.loop.submit([])
      await quiesce()
      test.clock.advance(.seconds(100_000))
      #expect(await test.loop.health.waiting == .zero)
    }
  }

  @Test func whatWaitsIsCounted() async {
    await LoopUnderTest.loaded { test in
      await test.backend.hold()
      test.loop.submit([.slice(slice(endpoint("10.1.0.1")))])
      #expect(await eventually { await test.batches().count == 2 })
      test.loop.submit([.service(service("b", ["10.96.0.2"])), .slice(slice(endpoint("10.1.0.2")))])
      var metrics = await test.loop.metrics
      #expect(metrics.pendingServiceChanges == 1 && metrics.pendingEndpointChanges == 2)
      await test.backend.release()
      #expect(await eventually { await test.loop.status.committedGeneration == 3 })
      #expect(await eventually { await test.loop.health.waiting == .zero })
      metrics = await test.loop.metrics
      #expect(metrics.pendingServiceChanges == 0 && metrics.pendingEndpointChanges == 0)
    }
  }

  @Test func changesThatFailedAreStillCounted() async {
    await LoopUnderTest.loaded { test in
      await test.backend.answer(.fail("no"))
      test.loop.submit([.slice(slice(endpoint("10.1.0.1")))])
      #expect(await eventually { test.sleep.lengths == [.milliseconds(250)] })
      #expect(await test.loop.metrics.pendingEndpointChanges == 1)
      test.sleep.wake(.milliseconds(250))
      #expect(await eventually { await test.loop.metrics.pendingEndpointChanges == 0 })
    }
  }

  @Test func portsThatDropWhatOnlyOthersCouldServeAreCountedByPolicy() async {
    await LoopUnderTest.loaded { test in
      let both = service("both", ["10.96.0.3"], ports: [ServicePort(port: 80, nodePort: 30080)]) {
        $0.type = .nodePort
        $0.internalTrafficPolicy = .local
        $0.externalTrafficPolicy = .local
        $0.externalIPs = [ip("192.0.2.7")]
      }
      let served = service("served", ["10.96.0.4"]) { $0.internalTrafficPolicy = .local }
      let nobody = service("nobody", ["10.96.0.5"]) { $0.internalTrafficPolicy = .local }
      test.loop.submit([
        .service(both), .service(served), .service(nobody), .slice(slice("both-1", of: "both", endpoint("10.1.0.1"))),
        .slice(slice("served-1", of: "served", endpoint("10.1.0.2", on: here))),
      ])
      #expect(await test.loop.commit(within: .seconds(60)))
      #expect(await test.loop.portsWithoutLocalEndpoints == [.init(.internal, .v4): 1, .init(.external, .v4): 1])
    }
  }
}
