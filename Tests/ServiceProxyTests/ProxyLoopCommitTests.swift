import KubeModel
import ServiceProxy
import Testing

/// Waiting for the kernel.
struct ProxyLoopCommitTests {
  @Test func commitIsImmediateWhenNothingIsOpen() async {
    await LoopUnderTest.loaded { test in
      #expect(await test.loop.commit(within: .zero))
      #expect(test.sleep.lengths.isEmpty)
    }
  }

  @Test func commitReturnsWhenTheKernelHasIt() async {
    await LoopUnderTest.loaded { test in
      await test.backend.hold()
      test.loop.submit([.slice(slice(endpoint("10.1.0.1")))])
      async let committed = test.loop.commit(within: .seconds(5))
      #expect(await eventually { test.sleep.lengths == [.seconds(5)] })
      await test.backend.release()
      #expect(await committed)
      // The timer does not outlive the wait.
      #expect(await eventually { test.sleep.lengths.isEmpty })
    }
  }

  @Test func commitGivesUpAtItsLimitAndLeavesOthersWaiting() async {
    await LoopUnderTest.loaded { test in
      await test.backend.hold()
      test.loop.submit([.slice(slice(endpoint("10.1.0.1")))])
      async let short = test.loop.commit(within: .seconds(1))
      async let long = test.loop.commit(within: .seconds(60))
      #expect(await eventually { test.sleep.lengths == [.seconds(1), .seconds(60)] })
      test.sleep.wake(.seconds(1))
      #expect(await !short)
      await quiesce()
      #expect(test.sleep.lengths == [.seconds(60)])
      await test.backend.release()
      #expect(await long)
    }
  }

  @Test func aChangeAfterTheCallIsNotWaitedFor() async {
    await LoopUnderTest.loaded { test in
      await test.backend.hold()
      test.loop.submit([.slice(slice(endpoint("10.1.0.1")))])
      #expect(await eventually { await test.batches().count == 2 })
      async let first = test.loop.commit(within: .seconds(5))
      #expect(await eventually { test.sleep.lengths == [.seconds(5)] })
      test.loop.submit([.slice(slice(endpoint("10.1.0.2")))])
      async let second = test.loop.commit(within: .seconds(6))
      #expect(await eventually { test.sleep.lengths == [.seconds(5), .seconds(6)] })
      await test.backend.release()
      #expect(await first)
      #expect(await second)
      #expect(await test.batches().count == 3)
    }
  }

  @Test func commitWaitsOverAFailure() async {
    await LoopUnderTest.loaded { test in
      await test.backend.answer(.fail("no"))
      test.loop.submit([.slice(slice(endpoint("10.1.0.1")))])
      async let committed = test.loop.commit(within: .seconds(5))
      #expect(await eventually { test.sleep.lengths == [.milliseconds(250), .seconds(5)] })
      test.sleep.wake(.milliseconds(250))
      #expect(await committed)
    }
  }

  @Test func theEndOfTheLoopEndsEveryWait() async {
    let test = LoopUnderTest()
    let run = Task { await test.loop.run() }
    test.loop.submit([.service(service())])
    async let waiting = test.loop.commit(within: .seconds(5))
    #expect(await eventually { test.sleep.lengths == [.seconds(5)] })
    run.cancel()
    await run.value
    #expect(await !waiting)
    #expect(await eventually { test.sleep.lengths.isEmpty })
    // Who comes later does not wait at all.
    let late = Task { await test.loop.commit(within: .seconds(7)) }
    await quiesce()
    #expect(test.sleep.lengths.isEmpty)
    test.sleep.wake(.seconds(7))
    #expect(await !late.value)
  }

  @Test func cancellationEndsARetryWait() async {
    let test = LoopUnderTest()
    let run = Task { await test.loop.run() }
    await test.backend.answer(.fail("no"))
    await test.loop.sourcesAreComplete()
    #expect(await eventually { test.sleep.lengths == [.milliseconds(250)] })
    run.cancel()
    await run.value
    #expect(await test.batches().count == 1)
  }
}
