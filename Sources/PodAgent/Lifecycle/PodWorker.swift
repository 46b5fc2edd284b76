import CRI
import KubeModel

/// Brings one pod to what its spec says and keeps it there; then brings it down. One per pod, so that a pod that is stuck
/// in a call holds up no other.
///
/// A pass observes (only when something may have changed), plans (pure), acts, and repeats until nothing is left to do;
/// then it waits for a change of the runtime, of a ConfigMap, for a back-off to end, or for the order to stop.
actor PodWorker {
  let pod: ManagedPod
  let context: PodContext
  private let reported: @Sendable (ManagedPod, PodStatus) async -> Void

  var state: PodWorkerState
  var objects: ConfigurationObjects
  var observation = PodObservation()
  var backoff: CrashBackoff
  var pulls: RetryBackoff
  var retries = RetryBackoff(initial: .seconds(1), maximum: .seconds(60))
  /// The runtime may hold something newer than `observation`.
  var mustObserve: Bool
  var prepared = false
  var volumesAreCurrent = false
  var step: PodStatus.Step?
  var backingOff: [String: Int64] = [:]
  var podProblem: PodStatus.Problem?
  let firstSeen: Int64

  private var lastReported: PodStatus?
  private let wake: AsyncStream<Void>
  private let wakeUp: AsyncStream<Void>.Continuation
  private var alarm: Task<Void, Never>?

  /// - Parameter isNew: the runtime is known to hold nothing of this pod, so the first look is spared.
  init(
    pod: ManagedPod, objects: ConfigurationObjects, isNew: Bool, context: PodContext,
    reported: @escaping @Sendable (ManagedPod, PodStatus) async -> Void
  ) {
    self.pod = pod
    self.context = context
    self.objects = objects
    self.reported = reported
    state = .syncing
    mustObserve = !isNew
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
    if state.terminate(graceSeconds: grace) { wakeUp.yield() }
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
      pod: pod.pod, observation: observation, backingOff: backingOff, step: step, problems: problems,
      isTerminating: state.isTerminating, firstSeen: firstSeen, hostAddresses: context.node.addresses
    ).status()
    guard status != lastReported else { return }
    lastReported = status
    await reported(pod, status)
  }

  /// What stands in the way now: by container name, or "" for the pod.
  private var problems: [String: PodStatus.Problem] {
    var problems: [String: PodStatus.Problem] = [:]
    for failure in retries.failures.values { problems[failure.problem.container ?? ""] = failure.problem }
    for failure in pulls.failures.values { problems[failure.problem.container ?? ""] = failure.problem }
    if let podProblem { problems[""] = podProblem }
    return problems
  }

  /// Notes what is under way, so that a pod that hangs says in what.
  func during<T, Failure: Error>(_ name: String, _ body: () async throws(Failure) -> T) async throws(Failure) -> T {
    step = PodStatus.Step(name: name, since: context.now())
    defer { step = nil }
    return try await body()
  }
}
