import KubeModel
import ServiceProxy
import Testing

/// Changes that follow one another are gathered; one that comes alone is not.
struct ProxyLoopPaceTests {
  private func changed(_ test: LoopUnderTest, _ number: Int) { test.loop.submit([.slice(slice(endpoint("10.1.0.\(number)")))]) }

  /// With one Service loaded, and a pace's time after that.
  private func paced(_ body: (LoopUnderTest) async throws -> Void) async rethrows {
    try await LoopUnderTest.loaded(pace: .milliseconds(30)) { test in
      test.clock.advance(.milliseconds(30))
      try await body(test)
    }
  }

  @Test func aChangeThatComesAloneGoesOutAtOnce() async {
    await paced { test in
      for number in 1...3 {
        changed(test, number)
        #expect(await eventually { await test.loop.status.committedGeneration == UInt64(number + 1) })
        test.clock.advance(.milliseconds(30))
      }
      #expect(test.sleep.lengths.isEmpty)
    }
  }

  @Test func changesThatFollowOneAnotherGoOutTogether() async {
    await paced { test in
      changed(test, 1)
      #expect(await eventually { await test.loop.status.committedGeneration == 2 })
      test.clock.advance(.milliseconds(10))
      for number in 2...9 { changed(test, number) }
      #expect(await eventually { test.sleep.lengths == [.milliseconds(20)] })
      await quiesce()
      #expect(await test.batches().count == 2)
      test.clock.advance(.milliseconds(20))
      test.sleep.wake(.milliseconds(20))
      #expect(await eventually { await test.loop.status.committedGeneration == 3 })
      let last = await test.batches()[2]
      #expect(last.upserts.flatMap(\.endpoints).map(\.address) == [ip("10.1.0.9")])
    }
  }

  @Test func whoWaitsForACommitDoesNotWaitForThePace() async {
    await paced { test in
      changed(test, 1)
      #expect(await eventually { await test.loop.status.committedGeneration == 2 })
      changed(test, 2)
      #expect(await test.loop.commit(within: .seconds(60)))
      #expect(await test.batches().count == 3)
    }
  }

  @Test func aRepairDoesNotWaitForThePace() async {
    await paced { test in
      changed(test, 1)
      #expect(await eventually { await test.loop.status.committedGeneration == 2 })
      await test.backend.answer(.fail("busy"))
      test.clock.advance(.milliseconds(30))
      changed(test, 2)
      // The wait after the failure, and none besides.
      #expect(await eventually { test.sleep.lengths == [ProxyLoop.retryDelay(afterFailures: 1)] })
      test.sleep.wake(ProxyLoop.retryDelay(afterFailures: 1))
      #expect(await eventually { await test.loop.status.committedGeneration == 4 })
      #expect(await test.batches().last?.reset == true)
    }
  }

  @Test func thePaceIsCountedFromTheBeginningOfASync() {
    var pacing = SyncPacing(period: .milliseconds(30))
    #expect(pacing.wait(at: 5) == nil)
    pacing.begin(at: 1_000_000)
    #expect(pacing.wait(at: 1_000_000) == 30_000_000)
    #expect(pacing.wait(at: 30_999_999) == 1)
    #expect(pacing.wait(at: 31_000_000) == nil)
    #expect(SyncPacing(period: .zero).wait(at: 0) == nil)
  }
}
