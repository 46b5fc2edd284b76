import PodAgent
import Testing

@Suite struct CrashBackoffTests {
  private var backoff = CrashBackoff()

  /// The exit of the container that was started as `attempt` and ran this long.
  private func exit(_ attempt: UInt32, ran: Double = 1, at time: Int64 = start) -> ObservedContainer {
    ObservedContainer(
      id: "c\(attempt)", sandboxID: "s", name: "main", attempt: attempt, state: .exited, createdAt: time - seconds(ran),
      startedAt: time - seconds(ran), finishedAt: time, exitCode: 1)
  }

  @Test func theFirstExitIsRestartedAtOnceAndTheWaitDoublesToFiveMinutes() {
    var backoff = backoff
    let delays = (0..<9).map { attempt in
      backoff.observe(exit(UInt32(attempt)))
      return backoff.delay(of: "main")
    }
    #expect(delays == [0, 10, 20, 40, 80, 160, 300, 300, 300].map { .seconds($0) })
  }

  @Test func theWaitIsCountedFromTheExit() {
    var backoff = backoff
    backoff.observe(exit(0))
    let second = exit(1, at: start + seconds(5))
    backoff.observe(second)
    #expect(backoff.retryTime(after: second) == start + seconds(15))
  }

  @Test func oneExitCountsOnceHoweverOftenItIsSeen() {
    var backoff = backoff
    backoff.observe(exit(0))
    for _ in 0..<5 { backoff.observe(exit(1)) }
    #expect(backoff.delay(of: "main") == .seconds(10))
  }

  @Test func aContainerThatRunsIsNotCounted() {
    var backoff = backoff
    var running = exit(7)
    running.state = .running
    backoff.observe(running)
    #expect(backoff.delay(of: "main") == .zero)
  }

  @Test func tenMinutesOfRunningForgiveWhatWasBefore() {
    var backoff = backoff
    for attempt in 0..<5 { backoff.observe(exit(UInt32(attempt))) }
    backoff.observe(exit(5, ran: 599))
    #expect(backoff.delay(of: "main") == .seconds(160))
    backoff.observe(exit(6, ran: 600))
    #expect(backoff.delay(of: "main") == .zero)
    backoff.observe(exit(7))
    #expect(backoff.delay(of: "main") == .seconds(10))
  }

  @Test func afterARestartOfTheDaemonTheAttemptStandsIn() {
    var backoff = backoff
    backoff.observe(exit(4))
    #expect(backoff.delay(of: "main") == .seconds(80))
  }

  @Test func aContainerThatNeverStartedIsNoLongRun() {
    var backoff = backoff
    var failed = exit(3)
    failed.startedAt = 0
    backoff.observe(failed)
    #expect(backoff.delay(of: "main") == .seconds(40))
  }

  @Test func namesAreCountedApartAndCanBeForgotten() {
    var backoff = backoff
    backoff.observe(exit(2))
    #expect(backoff.delay(of: "other") == .zero)
    backoff.reset("main")
    #expect(backoff.delay(of: "main") == .zero)
  }

  @Test func settingsAreTaken() {
    var backoff = CrashBackoff(settings: .init(initial: .seconds(1), maximum: .seconds(3)))
    let delays = (0..<5).map { attempt in
      backoff.observe(exit(UInt32(attempt)))
      return backoff.delay(of: "main")
    }
    #expect(delays == [.zero, .seconds(1), .seconds(2), .seconds(3), .seconds(3)])
    #expect(CrashBackoff.Settings(initial: .seconds(60), maximum: .seconds(5)).maximum == .seconds(60))
  }

  @Test func aWaitTooLongToCountIsForEver() {
    var backoff = CrashBackoff(settings: .init(initial: .seconds(Int64.max), maximum: .seconds(Int64.max)))
    backoff.observe(exit(0))
    let second = exit(1)
    backoff.observe(second)
    #expect(backoff.retryTime(after: second) == Int64.max)
    #expect(Duration.seconds(Int64.max).wholeNanoseconds == Int64.max)
    #expect(Duration.milliseconds(1500).wholeNanoseconds == 1_500_000_000)
  }
}

@Suite struct RetryBackoffTests {
  private let problem = PodStatus.Problem(reason: "ErrImagePull", message: "no such image")

  @Test func theWaitDoublesUpToTheMaximum() {
    var backoff = RetryBackoff(initial: .seconds(1), maximum: .seconds(10))
    let waits = (0..<6).map { _ in
      backoff.failed("a", problem, at: start)
      return ((backoff.failures["a"]?.retryAt ?? 0) - start) / 1_000_000_000
    }
    #expect(waits == [1, 2, 4, 8, 10, 10])
    #expect(backoff.failures["a"]?.count == 6)
  }

  @Test func aFailureHoldsUntilItsTimeOnly() {
    var backoff = RetryBackoff(initial: .seconds(1), maximum: .seconds(10))
    backoff.failed("a", problem, at: start)
    #expect(backoff.holding("a", at: start + seconds(0.9))?.problem == problem)
    #expect(backoff.holding("a", at: start + seconds(1)) == nil)
    #expect(backoff.holding("b", at: start) == nil)
  }

  @Test func successAndForgettingStartAnew() {
    var backoff = RetryBackoff(initial: .seconds(1), maximum: .seconds(10))
    for name in ["a", "b"] { backoff.failed(name, problem, at: start) }
    backoff.succeeded("a")
    #expect(backoff.failures.keys.sorted() == ["b"])
    backoff.forgetAll()
    #expect(backoff.failures.isEmpty)
    backoff.failed("b", problem, at: start)
    #expect(backoff.failures["b"]?.count == 1)
  }
}
