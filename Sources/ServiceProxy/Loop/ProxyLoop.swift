import KubeModel
import Logging
import Synchronization

/// Carries changes of Services to the backend: at once when idle, coalesced while a sync is under way and shortly after it began.
///
/// The first sync is a full load and waits for `sourcesAreComplete`, so that a restart never removes what merely was not
/// read yet. After a failure the next attempt is a full load again, which every backend turns into the difference between
/// the kernel and what is wanted.
public actor ProxyLoop {
  /// Service ports a batch of a full load carries at most; bounds one kernel transaction together with the backend's own
  /// limit (see the design notes on quadratic netfilter transactions).
  public static let fullLoadBound = 1000
  /// Between the beginnings of two syncs, where nothing else is asked for. Nobody who watches a rollout sees it, and at a hundred
  /// changes a second it saves three of four syncs.
  public static let usualPace = Duration.milliseconds(45)

  let backend: any ProxyBackend
  let logger: Logger
  let sleep: @Sendable (Duration) async throws -> Void
  private let settled: @Sendable () -> Void
  private let flows: (any FlowReconciler)?
  let repairing: Repairing
  let now: @Sendable () -> Int64
  let pending = Mutex(PendingChanges())
  var table: ServiceTable
  private var generation: UInt64 = 0
  private var submitted: UInt64 = 0
  private var applied: UInt64 = 0
  private var sourcesComplete = false
  var needsFullLoad = true
  /// From the first batch of a full load until its flows were looked after.
  var isLoadUnderWay = false
  /// What was told of the last look, when it failed.
  var lookFailure = ""
  private var hasEnded = false
  private var owed = OwedChanges()
  private var waiters: [UInt64: Waiter] = [:]
  private var lastWaiter: UInt64 = 0
  private var loadWaiters: [UInt64: CheckedContinuation<Bool, Never>] = [:]
  /// The wait before service ports that failed alone are handed out again; `nil` while there are none.
  private var portRetry: Task<Void, Never>?
  private var portRetries = 0
  private var pacing: SyncPacing
  /// The wait until the next sync may begin.
  private var pacer: Task<Void, Never>?
  private let wake: AsyncStream<Void>
  let wakeUp: AsyncStream<Void>.Continuation
  public internal(set) var status = Status()
  var counts = ProxyMetrics()

  private struct Waiter {
    var upTo: UInt64
    var resume: CheckedContinuation<Bool, Never>
  }

  /// - Parameters:
  ///   - settled: called, on no particular thread, when everything submitted has been resolved and committed: what
  ///     `status` and `issues` say is new.
  ///   - pace: least time between the beginnings of two syncs, as far as nobody waits for one (`commit`); see `SyncPacing`.
  ///   - sleep: waits between attempts after a failure, and for the pace; tests drive it by hand.
  public init(
    backend: any ProxyBackend, resolver: ServiceResolver, logger: Logger, settled: @escaping @Sendable () -> Void = {},
    flows: (any FlowReconciler)? = nil, repairing: Repairing = Repairing(), pace: Duration = .zero,
    now: @escaping @Sendable () -> Int64 = { ProxyLoop.monotonicNanoseconds() },
    sleep: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
  ) {
    self.backend = backend
    self.logger = logger
    self.settled = settled
    self.flows = flows
    self.repairing = repairing
    pacing = SyncPacing(period: pace)
    self.now = now
    self.sleep = sleep
    table = ServiceTable(resolver: resolver)
    (wake, wakeUp) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
  }

  /// Takes changes over; returns at once. Not a call of the actor: changes arrive in the order they are submitted in.
  public nonisolated func submit(_ changes: [ServiceChange]) {
    let submittedAt = now()
    let isPaced = pending.withLock { pending in
      pending.submit(changes, at: submittedAt)
      return pending.isPaced
    }
    if !isPaced { wakeUp.yield() }
  }

  /// Work came up that nobody submitted.
  func disturb() {
    let time = now()
    pending.withLock { $0.disturb(at: time) }
    wakeUp.yield()
  }

  private func emptyInbox() { apply(pending.withLock { $0.takeInbox() }) }

  /// Empties the inbox for the sync that begins; when the oldest of its changes came.
  private func takeUp(at time: Int64) -> Int64 {
    let (changes, oldest) = pending.withLock { ($0.takeInbox(), $0.begin(at: time)) }
    apply(changes)
    return oldest
  }

  private func apply(_ changes: [ServiceChange]) {
    guard !changes.isEmpty else { return }
    table.apply(changes)
    let services = UInt64(changes.count { $0.isOfService })
    counts.serviceChanges += services
    counts.endpointChanges += UInt64(changes.count) - services
    submitted += 1
    counts.lastQueued = ProxyLoop.unixSeconds()
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
    return await withCheckedContinuation { continuation in
      waiters[id] = Waiter(upTo: submitted, resume: continuation)
      // Whoever waits is not to wait for the pace too.
      if pacer != nil { wakeUp.yield() }
    }
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

  /// Compares everything with the kernel, and repairs what is damaged. `nil`: it cannot be told now.
  public func verify() async -> [String]? {
    // Before a load that is due what the backend compares with is not what is wanted.
    if needsFullLoad { return nil }
    let damage = await examine(thorough: true)
    return damage == [] && needsFullLoad ? nil : damage
  }

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
    pacer?.cancel()
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
      let begun = now()
      if isTooEarly(at: begun) { return }
      pacing.begin(at: begun)
      endPace()
      let oldest = takeUp(at: begun)
      let target = submitted
      let isDone = await syncOnce(begun: begun, oldest: oldest)
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
    pending.withLock { $0.settle() }
    schedulePortRetry()
    settled()
  }

  /// Whether the pace asks to wait; then the loop is woken when it may go on. Loads and repairs do not wait, nor do those who wait for
  /// a commit: a pod that is about to stop does.
  private func isTooEarly(at time: Int64) -> Bool {
    guard !needsFullLoad, waiters.isEmpty, let wait = pacing.wait(at: time) else { return false }
    if pacer == nil {
      pending.withLock { $0.isPaced = true }
      pacer = Task { [sleep] in
        guard (try? await sleep(.nanoseconds(wait))) != nil else { return }
        self.resumeAfterPace()
      }
    }
    return true
  }

  private func resumeAfterPace() {
    endPace()
    wakeUp.yield()
  }

  private func endPace() {
    guard let pacer else { return }
    pacer.cancel()
    self.pacer = nil
    pending.withLock { $0.isPaced = false }
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

  private func syncOnce(begun: Int64, oldest: Int64) async -> Bool {
    let isFull = needsFullLoad
    isLoadUnderWay = isFull
    defer { isLoadUnderWay = false }
    let batches: [ProxyBatch]
    if isFull {
      // The load makes the difference itself; who looks after flows needs it said.
      owed.add(table.takeChanges())
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
        pending.withLock { $0.fail() }
        if !isFull { owed.add(batch.changes) }
        failed(error)
        return false
      }
    }
    if !batches.isEmpty { await tellFlows(of: batches, isFull: isFull) }
    if !batches.isEmpty { measure(isFull: isFull, begun: begun, oldest: oldest) }
    pending.withLock { $0.commit() }
    // Damage that was found while single changes were under way is still there.
    if isFull {
      needsFullLoad = false
      status.damage = []
    }
    status.isLoaded = true
    resumeLoadWaiters(true)
    status.lastError = nil
    status.consecutiveFailures = 0
    return true
  }

  private func tellFlows(of batches: [ProxyBatch], isFull: Bool) async {
    let changes = batches.flatMap(\.changes)
    if isFull {
      await flows?.committed(owed.takeFullLoad(changes, failures: status.failures), isFullLoad: true)
      return
    }
    let taken = owed.take(changes, failures: status.failures)
    // All in one: a front end may have gone from a port whose past is known to one whose is not.
    await flows?.committed(taken.changes + taken.unknown, isFullLoad: !taken.unknown.isEmpty)
  }

  private func commit(_ batch: ProxyBatch) async throws(ProxyBackendError) {
    let begun = now()
    let report = try await backend.sync(batch)
    counts.longestTransaction = max(counts.longestTransaction, Double(now() - begun) / 1e9)
    if !status.failures.isEmpty {
      for port in batch.upserts { status.failures[port.key] = nil }
      for key in batch.removals { status.failures[key] = nil }
    }
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
    counts.syncFailures += 1
    status.lastError = "\(error)"
    status.consecutiveFailures += 1
    logger.error(
      "service rules not committed, trying again",
      metadata: ["error": "\(error)", "failures": "\(status.consecutiveFailures)"])
  }
}
