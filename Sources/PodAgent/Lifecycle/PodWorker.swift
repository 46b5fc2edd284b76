import CRI
import KubeModel
import Synchronization

/// Brings one pod to what its spec says and keeps it there; then brings it down. One per pod, so that a pod that is stuck
/// in a call holds up no other.
///
/// A pass observes (only when something may have changed), plans (pure), acts, and repeats until nothing is left to do;
/// then it waits for a change of the runtime, of a ConfigMap, for a back-off to end, or for the order to stop.
actor PodWorker {
  let pod: ManagedPod
  let context: PodContext
  private let reported: @Sendable (ManagedPod, PodStatus, _ isObserved: Bool) async -> Void

  var state: PodWorkerState
  var objects: ConfigurationObjects
  var observation = PodObservation()
  var backoff: CrashBackoff
  var pulls: RetryBackoff
  var retries = RetryBackoff(initial: .seconds(1), maximum: .seconds(60))
  /// The runtime may hold something newer than `observation`.
  var mustObserve: Bool
  /// What the runtime holds of the pod is known; before, the status is a guess.
  var hasObserved: Bool
  var hasCgroup = false
  var volumesAreCurrent = false
  /// What is under way. Readable while the worker is busy with it, or it would tell nothing.
  nonisolated let step = Mutex<PodStatus.Step?>(nil)
  /// The one call without a useful bound of its own, to be given up when the pod shall stop.
  var pull: Task<Result<ImageEnsurer.Ready, ImageEnsurer.Unavailable>, Never>?
  var backingOff: [String: Int64] = [:]
  let firstSeen: Int64

  private var lastReported: PodStatus?
  private var lastReportWasObserved = false
  private let wake: AsyncStream<Void>
  private let wakeUp: AsyncStream<Void>.Continuation
  private var alarm: Task<Void, Never>?

  /// - Parameter isNew: the runtime is known to hold nothing of this pod, so the first look is spared.
  init(
    pod: ManagedPod, objects: ConfigurationObjects, isNew: Bool, context: PodContext,
    reported: @escaping @Sendable (ManagedPod, PodStatus, _ isObserved: Bool) async -> Void
  ) {
    self.pod = pod
    self.context = context
    self.objects = objects
    self.reported = reported
    state = .syncing
    mustObserve = !isNew
    hasObserved = isNew
    backoff = CrashBackoff(settings: context.crashBackoff)
    pulls = RetryBackoff(initial: context.pullBackoff.initial, maximum: context.pullBackoff.maximum)
    firstSeen = context.now()
    (wake, wakeUp) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    wakeUp.yield()
  }

  // MARK: What others tell it

  /// The runtime's list of this pod changed; does nothing when the worker knows as much already.
  func runtimeListed(_ states: PodLifecycleEventGenerator.PodStates) {
    guard states != .init(observation) else { return }
    mustObserve = true
    wakeUp.yield()
  }

  /// The runtime was away and answers again.
  func runtimeReturned() {
    mustObserve = true
    retries.forgetAll()
    wakeUp.yield()
  }

  func configurationChanged(_ objects: ConfigurationObjects) {
    guard objects != self.objects else { return }
    self.objects = objects
    volumesAreCurrent = false
    retries.forgetAll()
    wakeUp.yield()
  }

  /// - Parameter graceSeconds: `nil` for the pod's own.
  func terminate(graceSeconds: Int64? = nil) {
    let grace = graceSeconds ?? pod.pod.spec.terminationGracePeriodSeconds
    guard state.terminate(graceSeconds: grace) else { return }
    pull?.cancel()
    wakeUp.yield()
  }

  // MARK: The loop

  /// Runs until the pod is gone or the task is cancelled; a cancelled worker leaves the pod as it is.
  func run() async {
    for await _ in wake {
      guard !Task.isCancelled else { break }
      alarm?.cancel()
      let passStart = context.now()
      if state.isTerminating {
        await stopPod()
      } else {
        await sync()
      }
      await report()
      if state == .terminated { break }
      setAlarm(after: passStart)
    }
    alarm?.cancel()
  }

  /// Wakes the loop when the next thing is due. What was due when the pass began has been tried in it, or is held back by
  /// something that has a time of its own.
  private func setAlarm(after passStart: Int64) {
    let times = Array(backingOff.values) + retries.failures.values.map(\.retryAt) + pulls.failures.values.map(\.retryAt)
    guard let due = times.filter({ $0 > passStart }).min() else { return }
    let wait = Duration.nanoseconds(max(due - context.now(), 1_000_000))
    alarm = Task { [context, wakeUp] in
      guard (try? await context.sleep(wait)) != nil else { return }
      wakeUp.yield()
    }
  }

  func report() async {
    let status = PodStatusBuilder(
      pod: pod.pod, observation: observation, backingOff: backingOff, problems: problems,
      isTerminating: state.isTerminating, firstSeen: firstSeen, hostAddresses: context.node.addresses
    ).status()
    guard status != lastReported || hasObserved != lastReportWasObserved else { return }
    lastReported = status
    lastReportWasObserved = hasObserved
    await reported(pod, status, hasObserved)
  }

  var hasReported: Bool { lastReported != nil }

  /// What stands in the way now: by container name, or "" for the pod.
  private var problems: [String: PodStatus.Problem] {
    var problems: [String: PodStatus.Problem] = [:]
    for failure in retries.failures.values { problems[failure.problem.container ?? ""] = failure.problem }
    for failure in pulls.failures.values { problems[failure.problem.container ?? ""] = failure.problem }
    return problems
  }

  /// Notes what is under way, so that a pod that hangs says in what.
  func during<T, Failure: Error>(_ name: String, _ body: () async throws(Failure) -> T) async throws(Failure) -> T {
    let now = context.now()
    step.withLock { $0 = PodStatus.Step(name: name, since: now) }
    defer { step.withLock { $0 = nil } }
    return try await body()
  }
}
