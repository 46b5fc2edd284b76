import Glibc
import Synchronization

/// The one thread a backend instance runs on: jobs one after the other, each with a deadline its caller never waits past.
///
/// C code cannot be interrupted. When a call passes its deadline the caller gets `hung`, `isCancelled` turns true so that a
/// polite backend gives up, and every further call fails at once, saying since when and in what the backend is busy, until
/// the call comes back. No thread of Swift's pool ever waits here.
///
/// `shutDown` must be called; until then the thread keeps this object alive.
public final class BackendThread: Sendable {
  /// The backend's name.
  public let name: String
  private let clock: DeadlineClock
  /// Called on the thread when a call that had passed its deadline came back, with how long it took.
  private let cameBack: @Sendable (_ operation: String, _ after: Duration) -> Void
  private let state = Mutex(State())
  private let work = Semaphore()

  private struct Job: Sendable {
    var id: UInt64
    var operation: String
    /// Does the work; the result is a closure that tells the caller.
    var run: @Sendable () -> (@Sendable () -> Void)
    /// Tells the caller instead; `nil` for callbacks, which have no caller.
    var fail: (@Sendable (BackendCallError) -> Void)?
    /// A caller waits from when it called, whoever has none from when it runs.
    var patience: Duration
    var end: Duration?
  }

  private struct Running: Sendable {
    var job: Job
    var since: Duration
    var isOverdue = false
  }

  private struct State: Sendable {
    var lastID: UInt64 = 0
    var queue: [Job] = []
    var running: Running?
    /// Calls whose caller's task was cancelled and that have not been answered.
    var cancelled: Set<UInt64> = []
    var isClosed = false
    var hasExited = false
    var thread: pthread_t?
    var exitWaiters: [UInt64: @Sendable (Bool) -> Void] = [:]
    /// One for all calls, and left sleeping when a call is over: a timer for each would cost more than a short call itself.
    var watchdog: (task: Task<Void, Never>, until: Duration)?

    /// Of what is not over and not told yet.
    var earliestEnd: Duration? {
      let ends = queue.map(\.end) + [running.flatMap { $0.isOverdue ? nil : $0.job.end }]
      return ends.compactMap { $0 }.min()
    }
  }

  /// Starts the thread.
  /// - Throws: the errno of `pthread_create`.
  package init(
    name: String, clock: DeadlineClock = .real, cameBack: @escaping @Sendable (String, Duration) -> Void = { _, _ in }
  ) throws(SystemError) {
    self.name = name
    self.clock = clock
    self.cameBack = cameBack
    try startThread()
  }

  // MARK: Calls

  /// Runs `body` on the thread.
  /// - Parameters:
  ///   - operation: for messages: "sync generation 12".
  ///   - deadline: counted from now, waiting in line included.
  ///   - isCancellable: cancelling the calling task turns `isCancelled` true for this call, which is waited for all the
  ///     same, up to its deadline. False for what must be done in a task that ends: stop and destroy.
  public func call<Value: Sendable>(
    _ operation: String, deadline: Duration, isCancellable: Bool = true, _ body: @escaping @Sendable () -> Value
  ) async throws(BackendCallError) -> Value {
    let id = nextID()
    let result: Result<Value, BackendCallError> = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let reply = Reply(continuation)
        submit(
          Job(
            id: id, operation: operation,
            run: {
              let value = body()
              return { reply.send(.success(value)) }
            },
            fail: { reply.send(.failure($0)) }, patience: deadline, end: clock.now() + deadline))
      }
    } onCancel: {
      guard isCancellable else { return }
      state.withLock { _ = $0.cancelled.insert(id) }
    }
    state.withLock { _ = $0.cancelled.remove(id) }
    return try result.get()
  }

  /// Runs `body` on the thread after what is queued, also behind an overdue call; nobody waits for it.
  package func post(_ operation: String, deadline: Duration, _ body: @escaping @Sendable () -> Void) {
    let id = nextID()
    let isAccepted = state.withLock { state in
      guard !state.isClosed else { return false }
      state.queue.append(
        Job(
          id: id, operation: operation,
          run: {
            body()
            return {}
          }, patience: deadline))
      return true
    }
    if isAccepted { work.signal() }
  }

  /// Whether the call in progress should end soon. From any thread.
  package var isCancelled: Bool {
    state.withLock { state in state.running.map { $0.isOverdue || state.cancelled.contains($0.job.id) } ?? false }
  }

  private func nextID() -> UInt64 {
    state.withLock {
      $0.lastID += 1
      return $0.lastID
    }
  }

  private func submit(_ job: Job) {
    let refusal: BackendCallError? = state.withLock { state in
      if state.isClosed { return .closed("backend \(name) is shut down") }
      if let running = state.running, running.isOverdue { return busy(running) }
      state.queue.append(job)
      watch(&state)
      return nil
    }
    guard let refusal else { return work.signal() }
    job.fail?(refusal)
  }

  /// Calls and callbacks that wait for the thread.
  package var waitingCount: Int { state.withLock { $0.queue.count } }

  private func busy(_ running: Running) -> BackendCallError {
    .busy("backend \(name) is busy since \((clock.now() - running.since).inSeconds) in \(running.job.operation)")
  }

  // MARK: Deadlines

  /// Sees to it that the watchdog wakes when the earliest deadline passes, or before.
  private func watch(_ state: inout State) {
    guard let end = state.earliestEnd else { return }
    if let watchdog = state.watchdog {
      if watchdog.until <= end { return }
      watchdog.task.cancel()
    }
    let task = Task { [self] in
      do { try await clock.sleep(end) } catch { return }
      expire()
    }
    state.watchdog = (task, end)
  }

  /// A deadline may have passed: if its job runs, everybody who waits is told; if it still waits in line, its caller is.
  private func expire() {
    let failures: [(Job, BackendCallError)] = state.withLock { state in
      state.watchdog = nil
      let now = clock.now()
      var failures: [(Job, BackendCallError)] = []
      if var running = state.running, !running.isOverdue, let end = running.job.end, end <= now {
        running.isOverdue = true
        state.running = running
        failures.append((running.job, .hung(Self.late(running.job))))
        for job in state.queue where job.fail != nil { failures.append((job, busy(running))) }
        state.queue.removeAll { $0.fail != nil }
      }
      for job in state.queue where job.end.map({ $0 <= now }) ?? false {
        failures.append((job, state.running.map(busy) ?? .busy(Self.late(job))))
      }
      state.queue.removeAll { $0.end.map { $0 <= now } ?? false }
      watch(&state)
      return failures
    }
    for (job, error) in failures { job.fail?(error) }
  }

  private static func late(_ job: Job) -> String { "did not come back within \(job.patience.inSeconds)" }

  // MARK: The thread

  private func startThread() throws(SystemError) {
    var everything = sigset_t()
    var before = sigset_t()
    sigfillset(&everything)
    // A fault of the backend must still reach the process's crash handler.
    for fault in [SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS] { sigdelset(&everything, fault) }
    // The thread inherits the mask, so that it never has another one.
    pthread_sigmask(SIG_SETMASK, &everything, &before)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
    var thread = pthread_t()
    let this = Unmanaged.passRetained(self)
    let failure = pthread_create(
      &thread, nil,
      { argument in
        guard let argument else { return nil }
        Unmanaged<BackendThread>.fromOpaque(argument).takeRetainedValue().loop()
        return nil
      }, this.toOpaque())
    guard failure == 0 else {
      this.release()
      throw SystemError(failure)
    }
    let created = thread
    state.withLock { $0.thread = created }
  }

  private func loop() {
    nameThisThread()
    while true {
      work.wait()
      let (job, isOver) = next()
      if let job {
        let tell = job.run()
        finish()
        tell()
      } else if isOver {
        return exit()
      }
    }
  }

  /// Shown by `top -H` and `ps -L`; of no consequence when it fails. (`pthread_setname_np` is a GNU extension the Glibc
  /// module does not show.)
  private func nameThisThread() {
    let file = open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
    guard file >= 0 else { return }
    defer { close(file) }
    let text = Array("swl-\(name)".utf8.prefix(15))
    _ = write(file, text, text.count)
  }

  /// The next job; or whether the thread has nothing left to do. Neither when the job a signal stood for was taken back.
  private func next() -> (Job?, Bool) {
    state.withLock { state in
      guard !state.queue.isEmpty else { return (nil, state.isClosed) }
      var job = state.queue.removeFirst()
      let now = clock.now()
      if job.end == nil {
        job.end = now + job.patience
        state.running = Running(job: job, since: now)
        watch(&state)
      } else {
        state.running = Running(job: job, since: now)
      }
      return (job, false)
    }
  }

  private func finish() {
    let (running, isOver) = state.withLock { state in
      defer { state.running = nil }
      return (state.running, state.isClosed && state.queue.isEmpty)
    }
    guard let running else { return }
    if running.isOverdue { cameBack(running.job.operation, clock.now() - running.since) }
    if isOver { work.signal() }
  }

  private func exit() {
    let waiters = state.withLock { state in
      state.hasExited = true
      state.watchdog?.task.cancel()
      defer { (state.exitWaiters, state.watchdog) = ([:], nil) }
      return state.exitWaiters.values.map { $0 }
    }
    for waiter in waiters { waiter(true) }
  }

  // MARK: The end

  /// Takes no more calls, runs what is queued, ends the thread and joins it.
  /// - Returns: false when it did not end within the deadline, or hangs already; then it is left alone.
  @discardableResult
  public func shutDown(deadline: Duration) async -> Bool {
    let id = nextID()
    let end = clock.now() + deadline
    let hasEnded = await withCheckedContinuation { (continuation: CheckedContinuation<Bool, Never>) in
      let reply = Reply(continuation)
      let answer: Bool? = state.withLock { state in
        state.isClosed = true
        if state.hasExited { return true }
        if state.running?.isOverdue == true { return false }
        state.exitWaiters[id] = { reply.send($0) }
        return nil
      }
      if let answer { return reply.send(answer) }
      work.signal()
      let watchdog = Task { [clock] in
        do { try await clock.sleep(end) } catch { return }
        reply.send(false)
      }
      reply.whenSent { watchdog.cancel() }
    }
    guard let thread = state.withLock({ state in state.thread.take() }) else { return hasEnded }
    // Its last act was to tell us, so the join does not wait.
    if hasEnded { pthread_join(thread, nil) } else { pthread_detach(thread) }
    return hasEnded
  }
}
