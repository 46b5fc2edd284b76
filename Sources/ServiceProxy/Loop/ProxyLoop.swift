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
    /// What somebody else did to the rules when last found, until it is repaired.
    public var damage: [String] = []

    public init() {}
  }

  /// Service ports a batch of a full load carries at most; bounds one kernel transaction together with the backend's own
  /// limit (see the design notes on quadratic netfilter transactions).
  public static let fullLoadBound = 1000

  let backend: any ProxyBackend
  let logger: Logger
  let sleep: @Sendable (Duration) async throws -> Void
  private let settled: @Sendable () -> Void
  private let flows: (any FlowReconciler)?
  let repairing: Repairing
  let now: @Sendable () -> Int64
  /// When the oldest change that is not committed yet was submitted; 0: there is none.
  private let waitingSince = Mutex<Int64>(0)
  private let inbox = Mutex<[ServiceChange]>([])
  var table: ServiceTable
  private var generation: UInt64 = 0
  private var submitted: UInt64 = 0
  private var applied: UInt64 = 0
  private var sourcesComplete = false
  var needsFullLoad = true
  private var hasEnded = false
  /// Changes of batches that failed: the load after them commits them, but does not know what was before.
  private var owedChanges: [CommittedChange] = []
  private var waiters: [UInt64: Waiter] = [:]
  private var lastWaiter: UInt64 = 0
  private var loadWaiters: [UInt64: CheckedContinuation<Bool, Never>] = [:]
  /// The wait before service ports that failed alone are handed out again; `nil` while there are none.
  private var portRetry: Task<Void, Never>?
  private var portRetries = 0
  private let wake: AsyncStream<Void>
  let wakeUp: AsyncStream<Void>.Continuation
  public internal(set) var status = Status()
  public internal(set) var metrics = ProxyMetrics()

  /// How foreign changes of the rules are found and undone.
  public struct Repairing: Sendable {
    /// Between two comparisons of everything with the kernel; `nil`: never. They are put off where they would take more
    /// than a thousandth of the time.
    public var period: Duration?
    /// Least time between two repairs, lest two programs that undo each other's work keep the machine busy.
    public var pause: Duration
    /// Called with what was found, on no particular thread.
    public var found: @Sendable ([String]) async -> Void

    public init(period: Duration? = nil, pause: Duration = .seconds(1), found: @escaping @Sendable ([String]) async -> Void = { _ in }) {
      self.period = period
      self.pause = pause
      self.found = found
    }
  }

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
    flows: (any FlowReconciler)? = nil, repairing: Repairing = Repairing(),
    now: @escaping @Sendable () -> Int64 = { ProxyLoop.monotonicNanoseconds() },
    sleep: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
  ) {
    self.backend = backend
    self.logger = logger
    self.settled = settled
    self.flows = flows
    self.repairing = repairing
    self.now = now
    self.sleep = sleep
    table = ServiceTable(resolver: resolver)
    (wake, wakeUp) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
  }

  /// Takes changes over; returns at once. Not a call of the actor: changes arrive in the order they are submitted in.
  public nonisolated func submit(_ changes: [ServiceChange]) {
    let submittedAt = now()
    inbox.withLock { $0 += changes }
    waitingSince.withLock { if $0 == 0 { $0 = submittedAt } }
    wakeUp.yield()
  }

  private func emptyInbox() {
    let changes = inbox.withLock { inbox in
      defer { inbox = [] }
      return inbox
    }
    guard !changes.isEmpty else { return }
    for change in changes {
      table.apply(change)
      switch change {
      case .service, .serviceRemoved: metrics.serviceChanges += 1
      case .slice, .sliceRemoved: metrics.endpointChanges += 1
      }
    }
    submitted += 1
    metrics.lastQueued = ProxyLoop.unixSeconds()
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

  /// Returns once the first full load is committed: true; false when the loop ended before, or the task was cancelled: who waits
  /// may be stopped before the loop is, and without a runtime there is never a load.
  public func waitUntilLoaded() async -> Bool {
    if status.isLoaded { return true }
    guard !hasEnded else { return false }
    lastWaiter += 1
    let id = lastWaiter
    return await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        // Cancelled already: its handler has found nothing to resume.
        if Task.isCancelled { return continuation.resume(returning: false) }
        loadWaiters[id] = continuation
      }
    } onCancel: {
      Task { await self.stopWaitingForLoad(id) }
    }
  }

  private func stopWaitingForLoad(_ id: UInt64) { loadWaiters.removeValue(forKey: id)?.resume(returning: false) }

  private func resumeLoadWaiters(_ isLoaded: Bool) {
    for waiter in loadWaiters.values { waiter.resume(returning: isLoaded) }
    loadWaiters = [:]
  }

  /// Compares everything with the kernel; `nil` when the backend cannot tell.
  public func verify() async -> [String]? { try? await backend.examine(thorough: true) }

  /// Runs until cancelled.
  public func run() async {
    await withDiscardingTaskGroup { group in
      group.addTask { await self.watchKernel() }
      group.addTask { await self.compareFromTimeToTime() }
      group.addTask { await self.serve() }
    }
  }

  private func serve() async {
    for await _ in wake {
      guard !Task.isCancelled else { break }
      await syncUntilSettled()
    }
    hasEnded = true
    portRetry?.cancel()
    resumeLoadWaiters(false)
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
      // The load makes the difference itself; who looks after flows needs it said.
      owedChanges += table.takeBatch(generation: generation + 1)?.changes(except: [:]) ?? []
      batches = table.fullLoad(firstGeneration: generation + 1, bound: ProxyLoop.fullLoadBound)
    } else {
      batches = table.takeBatch(generation: generation + 1).map { [$0] } ?? []
    }
    if isFull { status.failures = [:] }
    let begun = now()
    // Changes from here on wait for the next batch.
    let oldest = waitingSince.withLock { since in
      defer { since = 0 }
      return since
    }
    for batch in batches {
      generation = batch.generation
      do {
        try await commit(batch)
      } catch {
        waitingSince.withLock { if oldest != 0 { $0 = oldest } }
        if !isFull { owedChanges += batch.changes(except: [:]) }
        failed(error)
        return false
      }
    }
    if let flows, !batches.isEmpty {
      let changes = owedChanges + batches.flatMap { $0.changes(except: status.failures) }
      await flows.committed(changes, isFullLoad: isFull)
    }
    owedChanges = []
    if !batches.isEmpty { measure(isFull: isFull, begun: begun, oldest: oldest) }
    needsFullLoad = false
    status.damage = []
    status.isLoaded = true
    resumeLoadWaiters(true)
    status.lastError = nil
    status.consecutiveFailures = 0
    return true
  }

  private func commit(_ batch: ProxyBatch) async throws(ProxyBackendError) {
    let begun = now()
    let report = try await backend.sync(batch)
    metrics.longestTransaction = max(metrics.longestTransaction, Double(now() - begun) / 1e9)
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
    metrics.syncFailures += 1
    status.lastError = "\(error)"
    status.consecutiveFailures += 1
    logger.error(
      "service rules not committed, trying again",
      metadata: ["error": "\(error)", "failures": "\(status.consecutiveFailures)"])
  }
}
