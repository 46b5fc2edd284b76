import Glibc
import PluginHost
import Synchronization
import Testing

@Suite struct BackendThreadTests {
  /// Blocks a backend thread, as C code does, until the test lets it go.
  private final class Gate: Sendable {
    private let isOpen = Atomic<Bool>(false)
    let isReached = Atomic<Bool>(false)

    func pass() {
      isReached.store(true, ordering: .sequentiallyConsistent)
      while !isOpen.load(ordering: .sequentiallyConsistent) { usleep(200) }
    }

    func open() { isOpen.store(true, ordering: .sequentiallyConsistent) }
    func reached() async -> Bool { await eventually { isReached.load(ordering: .sequentiallyConsistent) } }
  }

  private final class Counter: Sendable {
    private let count = Mutex(0)

    var value: Int { count.withLock { $0 } }
    func increment() { count.withLock { $0 += 1 } }
  }

  private func hangs(_ thread: BackendThread, _ time: ManualClock, _ gate: Gate) async -> BackendCallError? {
    async let outcome: BackendCallError? = failure { () async throws(BackendCallError) in
      try await thread.call("sync", deadline: .seconds(60)) { gate.pass() }
    }
    #expect(await gate.reached())
    #expect(await eventually { time.isAwaited(until: .seconds(60)) })
    time.advance(by: .seconds(60))
    return await outcome
  }

  private func failure(_ body: () async throws(BackendCallError) -> Void) async -> BackendCallError? {
    do {
      try await body()
      return nil
    } catch let error {
      return error
    }
  }

  @Test func callsRunInOrderOnOneThread() async throws {
    let thread = try BackendThread(name: "order")
    let seen = Mutex<[Int]>([])
    let threads = Mutex<Set<pthread_t>>([])
    for number in 0..<100 {
      let answer = try await thread.call("step", deadline: .seconds(60)) {
        threads.withLock { _ = $0.insert(pthread_self()) }
        seen.withLock { $0.append(number) }
        return number * 2
      }
      #expect(answer == number * 2)
    }
    #expect(seen.withLock { $0 } == Array(0..<100))
    #expect(threads.withLock { $0.count } == 1)
    #expect(threads.withLock { !$0.contains(pthread_self()) })
    #expect(await thread.shutDown(deadline: .seconds(60)))
  }

  @Test func callPastItsDeadlineIsReportedAndTheRestFailsAtOnceUntilItComesBack() async throws {
    let time = ManualClock()
    let late = Mutex<[String]>([])
    let thread = try BackendThread(name: "nftables", clock: time.clock) { operation, after in
      late.withLock { $0.append("\(operation) after \(after)") }
    }
    let gate = Gate()
    #expect(await hangs(thread, time, gate) == .hung("did not come back within 60 s"))
    #expect(thread.isCancelled)
    time.advance(by: .seconds(41))
    let next = await failure { () async throws(BackendCallError) in try await thread.call("list", deadline: .seconds(1)) {} }
    #expect(next == .busy("backend nftables is busy since 101 s in sync"))
    gate.open()
    #expect(await eventually { late.withLock { $0 } == ["sync after 101.0 seconds"] })
    #expect(!thread.isCancelled)
    #expect(try await thread.call("list", deadline: .seconds(1)) { 7 } == 7)
    #expect(await thread.shutDown(deadline: .seconds(1)))
  }

  @Test func callsInLineBehindAHungOneFailWithIt() async throws {
    let time = ManualClock()
    let thread = try BackendThread(name: "nftables", clock: time.clock)
    let gate = Gate()
    let waiting = Task<BackendCallError?, Never> { [self] in
      guard await gate.reached() else { return .closed("never reached") }
      return await failure { () async throws(BackendCallError) in try await thread.call("list", deadline: .seconds(600)) {} }
    }
    async let outcome: BackendCallError? = failure { () async throws(BackendCallError) in
      try await thread.call("sync", deadline: .seconds(60)) { gate.pass() }
    }
    #expect(await gate.reached())
    #expect(await eventually { time.isAwaited(until: .seconds(60)) && thread.waitingCount == 1 })
    time.advance(by: .seconds(60))
    #expect(await outcome == .hung("did not come back within 60 s"))
    #expect(await waiting.value == .busy("backend nftables is busy since 60 s in sync"))
    gate.open()
    #expect(await eventually { !thread.isCancelled })
    #expect(await thread.shutDown(deadline: .seconds(1)))
  }

  /// A short deadline behind a long one, and one that comes while the watchdog already sleeps.
  @Test func oneWatchdogKeepsEachDeadline() async throws {
    let time = ManualClock()
    let thread = try BackendThread(name: "nftables", clock: time.clock)
    for _ in 0..<100 { try await thread.call("sync", deadline: .seconds(60)) {} }
    #expect(await eventually { time.sleeperCount > 0 })
    #expect(time.sleeperCount == 1)
    let gate = Gate()
    async let long: BackendCallError? = failure { () async throws(BackendCallError) in
      try await thread.call("sync", deadline: .seconds(600)) { gate.pass() }
    }
    #expect(await gate.reached())
    async let short: BackendCallError? = failure { () async throws(BackendCallError) in
      try await thread.call("list", deadline: .seconds(5)) {}
    }
    #expect(await eventually { time.isAwaited(until: .seconds(5)) && thread.waitingCount == 1 })
    time.advance(by: .seconds(5))
    #expect(await short == .busy("backend nftables is busy since 5 s in sync"))
    #expect(!thread.isCancelled)
    #expect(await eventually { time.isAwaited(until: .seconds(600)) })
    time.advance(by: .seconds(595))
    #expect(await long == .hung("did not come back within 600 s"))
    gate.open()
    #expect(await eventually { !thread.isCancelled })
    #expect(await thread.shutDown(deadline: .seconds(1)))
    #expect(await eventually { time.sleeperCount == 0 })
  }

  @Test func cancelledTaskCancelsItsCallAndStillGetsTheAnswer() async throws {
    let thread = try BackendThread(name: "cancel")
    let gate = Gate()
    let task = Task {
      try await thread.call("sync", deadline: .seconds(60)) { [thread] in
        gate.isReached.store(true, ordering: .sequentiallyConsistent)
        while !thread.isCancelled { usleep(200) }
        return "gave up"
      }
    }
    #expect(await gate.reached())
    task.cancel()
    #expect(try await task.value == "gave up")
    #expect(try await thread.call("next", deadline: .seconds(60)) { thread.isCancelled } == false)
    await thread.shutDown(deadline: .seconds(60))
  }

  @Test func shutDownRunsWhatIsQueuedAndTakesNoMore() async throws {
    let thread = try BackendThread(name: "drain")
    let gate = Gate()
    let done = Counter()
    let calls = (0..<5).map { index in
      Task {
        try await thread.call("step \(index)", deadline: .seconds(60)) {
          if index == 0 { gate.pass() }
          done.increment()
        }
      }
    }
    let isQueued = Task { await gate.reached() }
    #expect(await isQueued.value)
    async let ended = thread.shutDown(deadline: .seconds(60))
    gate.open()
    #expect(await ended)
    var refused = 0
    for call in calls { if case .failure = await call.result { refused += 1 } }
    #expect(done.value + refused == 5)
    let late = await failure { () async throws(BackendCallError) in try await thread.call("late", deadline: .seconds(1)) {} }
    #expect(late == .closed("backend drain is shut down"))
    #expect(await thread.shutDown(deadline: .seconds(60)))
  }

  @Test func shutDownLeavesAHungThreadAlone() async throws {
    let time = ManualClock()
    let thread = try BackendThread(name: "stuck", clock: time.clock)
    let gate = Gate()
    _ = await hangs(thread, time, gate)
    #expect(await thread.shutDown(deadline: .seconds(1)) == false)
    gate.open()
  }

  @Test func postedJobRunsBehindAHungCall() async throws {
    let time = ManualClock()
    let thread = try BackendThread(name: "post", clock: time.clock)
    let gate = Gate()
    _ = await hangs(thread, time, gate)
    let flag = Gate()
    thread.post("on_callback", deadline: .seconds(30)) { flag.isReached.store(true, ordering: .sequentiallyConsistent) }
    gate.open()
    #expect(await flag.reached())
    #expect(await thread.shutDown(deadline: .seconds(1)))
  }
}
