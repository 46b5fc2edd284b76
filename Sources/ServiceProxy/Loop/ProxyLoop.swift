import KubeModel
import Logging
import Synchronization

/// Carries changes of Services to the backend: at once when idle, coalesced while a sync is under way.
///
/// The first sync is a full load and waits for `sourcesAreComplete`, so that a restart never removes what merely was not
/// read yet. After a failure the next attempt is a full load again, which every backend turns into the difference between
/// the kernel and what is wanted.
public actor ProxyLoop {
  /// For people and health checks.
  public struct Status: Sendable, Equatable {
    /// Of the last batch the kernel committed; 0 before the first.
    public var committedGeneration: UInt64 = 0
    public var isLoaded = false
    /// What failed last, until a sync succeeds.
    public var lastError: String?
    public var consecutiveFailures = 0
    /// Service ports the backend could not program, with the reason.
    public var failures: [String: String] = [:]

    public init() {}
  }

  /// Service ports a batch of a full load carries at most; bounds one kernel transaction together with the backend's own
  /// limit (see the design notes on quadratic netfilter transactions).
  public static let fullLoadBound = 1000

  private let backend: any ProxyBackend
  private let logger: Logger
  private let sleep: @Sendable (Duration) async throws -> Void
  private let settled: @Sendable () -> Void
  private let inbox = Mutex<[ServiceChange]>([])
  private var table: ServiceTable
  private var generation: UInt64 = 0
  private var submitted: UInt64 = 0
  private var applied: UInt64 = 0
  private var sourcesComplete = false
  private var needsFullLoad = true
  private var hasEnded = false
  private var waiters: [UInt64: Waiter] = [:]
  private var lastWaiter: UInt64 = 0
  /// The wait before service ports that failed alone are handed out again; `nil` while there are none.
  private var portRetry: Task<Void, Never>?
  private var portRetries = 0
  private let wake: AsyncStream<Void>
  private let wakeUp: AsyncStream<Void>.Continuation
  public private(set) var status = Status()

  private struct Waiter {
    var upTo: UInt64
    var resume: CheckedContinuation<Bool, Never>
  }

  /// - Parameters:
  ///   - settled: called, on no particular thread, when everything submitted has been resolved and committed: what
  ///     `status` and `issues` say is new.
  ///   - sleep: waits between attempts after a failure; tests drive it by hand.
  public init(
    backend: any ProxyBackend, resolver: ServiceResolver, logger: Logger, settled: @escaping @Sendable () -> Void = {},
    sleep: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
  ) {
    self.backend = backend
    self.logger = logger
    self.settled = settled
    self.sleep = sleep
    table = ServiceTable(resolver: resolver)
    (wake, wakeUp) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
  }

  /// Takes changes over; returns at once. Not a call of the actor: changes arrive in the order they are submitted in.
  public nonisolated func submit(_ changes: [ServiceChange]) {
    inbox.withLock { $0 += changes }
    wakeUp.yield()
  }

  private func emptyInbox() {
    let changes = inbox.withLock { inbox in
      defer { inbox = [] }
      return inbox
    }
    guard !changes.isEmpty else { return }
    for change in changes { table.apply(change) }
    submitted += 1
  }

  /// Everything that is to be served at start has been submitted: the first full load may replace what the kernel holds.
  public func sourcesAreComplete() {
    sourcesComplete = true
    wakeUp.yield()
  }

  /// Returns once everything submitted so far is committed by the kernel: true; or when `limit` passed or the loop ended
  /// before that: false. The caller decides what a wait that was cut short means. Service ports that failed alone do not hold
  /// it up; `status` names them.
  public func commit(within limit: Duration) async -> Bool {
    emptyInbox()
    if applied >= submitted, !table.hasChanges, !needsFullLoad { return true }
    guard !hasEnded else { return false }
    lastWaiter += 1
    let id = lastWaiter
    let timeout = Task { [sleep] in
      try? await sleep(limit)
      self.giveUp(id)
    }
    defer { timeout.cancel() }
    return await withCheckedContinuation { waiters[id] = Waiter(upTo: submitted, resume: $0) }
  }

  /// One Service as it is programmed.
  public func report(of name: String) -> (service: Service, ports: [ResolvedServicePort], issues: [ServiceIssue])? {
    table.report(of: name)
  }

  /// Runs until cancelled.
  public func run() async {
    for await _ in wake {
      guard !Task.isCancelled else { break }
      await syncUntilSettled()
    }
    hasEnded = true
    portRetry?.cancel()
    for waiter in waiters.values { waiter.resume.resume(returning: false) }
    waiters = [:]
  }

  private func giveUp(_ id: UInt64) { waiters.removeValue(forKey: id)?.resume.resume(returning: false) }

  private func resumeWaiters() {
    for (id, waiter) in waiters where waiter.upTo <= applied {
      waiters[id] = nil
      waiter.resume.resume(returning: true)
    }
  }

  private func syncUntilSettled() async {
    emptyInbox()
    while sourcesComplete, !Task.isCancelled, needsFullLoad || table.hasChanges || applied < submitted {
      let target = submitted
      let isDone = await syncOnce()
      emptyInbox()
      if isDone {
        applied = max(applied, target)
        resumeWaiters()
      } else {
        try? await sleep(ProxyLoop.retryDelay(afterFailures: status.consecutiveFailures))
        emptyInbox()
      }
    }
    guard sourcesComplete, !Task.isCancelled else { return }
    schedulePortRetry()
    settled()
  }

  /// A service port that failed alone may succeed later: it goes into a batch again, without disturbing the others.
  private func schedulePortRetry() {
    guard !status.failures.isEmpty else {
      portRetries = 0
      return
    }
    guard portRetry == nil else { return }
    portRetries += 1
    portRetry = Task { [sleep, portRetries] in
      try? await sleep(ProxyLoop.retryDelay(afterFailures: portRetries))
      self.retryPorts()
    }
  }

  private func retryPorts() {
    portRetry = nil
    table.handOutAgain(status.failures.keys)
    wakeUp.yield()
  }

  /// 250 ms doubling to 30 s.
  package static func retryDelay(afterFailures failures: Int) -> Duration {
    .milliseconds(min(30_000, 250 << min(max(failures - 1, 0), 7)))
  }

  private func syncOnce() async -> Bool {
    let isFull = needsFullLoad
    let batches: [ProxyBatch]
    if isFull {
      batches = table.fullLoad(firstGeneration: generation + 1, bound: ProxyLoop.fullLoadBound)
    } else {
      batches = table.takeBatch(generation: generation + 1).map { [$0] } ?? []
    }
    if isFull { status.failures = [:] }
    for batch in batches {
      generation = batch.generation
      do {
        try await commit(batch)
      } catch {
        failed(error)
        return false
      }
    }
    needsFullLoad = false
    status.isLoaded = true
    status.lastError = nil
    status.consecutiveFailures = 0
    return true
  }

  private func commit(_ batch: ProxyBatch) async throws(ProxyBackendError) {
    let report = try await backend.sync(batch)
    for port in batch.upserts { status.failures[port.key] = nil }
    for key in batch.removals { status.failures[key] = nil }
    for (key, reason) in report.failures {
      status.failures[key] = reason
      logger.warning("service port not programmed", metadata: ["port": "\(key)", "reason": "\(reason)"])
    }
    status.committedGeneration = batch.generation
    logger.debug(
      "service rules committed",
      metadata: ["generation": "\(batch.generation)", "changed": "\(batch.upserts.count)", "removed": "\(batch.removals.count)"])
  }

  private func failed(_ error: ProxyBackendError) {
    needsFullLoad = true
    status.lastError = "\(error)"
    status.consecutiveFailures += 1
    logger.error(
      "service rules not committed, trying again",
      metadata: ["error": "\(error)", "failures": "\(status.consecutiveFailures)"])
  }
}

extension ProxyLoop {
  /// What of a Service is not programmed, as of the last batch that was made.
  public func issues(of name: String) -> [ServiceIssue] { report(of: name)?.issues ?? [] }

  /// The same for every Service that has any, by "namespace/name".
  public func issues() -> [String: [ServiceIssue]] { table.issues() }
}
