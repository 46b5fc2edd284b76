import CRI
import KubeModel
import Logging
import Synchronization

/// The pods of this node: takes the wanted set, finds what already runs, and keeps one worker per pod.
///
/// Restart is invisible: at start every sandbox of ours is found by its labels, and a pod whose content did not change is
/// the same pod, so it only gets a worker that looks after it. What runs without being wanted is stopped, but not before
/// the wanted set is known.
public actor PodAgent {
  struct Worker {
    var pod: ManagedPod
    var worker: PodWorker
    var task: Task<Void, Never>
  }

  let context: PodContext
  let logger: Logger
  let statusChanged: @Sendable () async -> Void
  private let podEnded: @Sendable (ManagedPod) async -> Void
  private let relistInterval: Duration

  var workers: [String: Worker] = [:]
  /// By UID.
  var statuses: [String: PodStatus] = [:]
  /// The wanted pods, by UID; `nil` before the source has spoken.
  var wanted: [String: ManagedPod]?
  var brokenFiles: Set<String> = []
  var objects = ConfigurationObjects()
  /// What was found at the start and has no worker yet, by UID.
  var found: [String: FoundPod] = [:]
  var isAdopted = false
  /// Workers that know what the runtime holds of their pod, by UID.
  var observed: Set<String> = []
  /// Why nothing can be started yet; `nil` from when the agent has found what runs.
  var startProblem: String?
  /// The weight of the burstable pods' cgroup fits the pods there are.
  var sharesAreCurrent = false
  private var pleg: PodLifecycleEventGenerator?

  public init(
    configuration: Configuration, runtime: any RuntimeService, images: any ImageService, cgroups: (any CgroupDriver)?,
    hooks: Hooks, logger: Logger
  ) {
    let box = PLEGBox()
    context = PodContext(
      runtime: runtime, images: images, cgroups: cgroups, tree: configuration.tree, node: configuration.node,
      hostDNS: configuration.hostDNS, crashBackoff: configuration.crashBackoff, pullBackoff: configuration.pullBackoff,
      now: hooks.now, sleep: hooks.sleep, record: hooks.record, drain: hooks.drain,
      registerSandbox: { sandbox, uid in await box.register(sandbox, uid) }, serviceLinks: hooks.serviceLinks, logger: logger)
    relistInterval = configuration.relistInterval
    statusChanged = hooks.statusChanged
    podEnded = hooks.ended
    self.logger = logger
    plegBox = box
  }

  private let plegBox: PLEGBox

  // MARK: Orders

  /// The pods that shall run, all of them. Pods of `brokenFiles` that run but are not among them are left alone: their
  /// file cannot be read just now.
  public func setPods(_ pods: [ManagedPod], brokenFiles: Set<String>) async {
    wanted = Dictionary(pods.map { ($0.uid, $0) }) { first, _ in first }
    self.brokenFiles = brokenFiles
    await reconcile()
  }

  public func setConfiguration(_ objects: ConfigurationObjects) async {
    guard objects != self.objects else { return }
    self.objects = objects
    for worker in workers.values { await worker.worker.configurationChanged(objects) }
  }

  /// Every pod with a worker, and those that wait for one of the same name to go.
  public func pods() -> [(pod: ManagedPod, status: PodStatus)] {
    var list = workers.values.map { worker in
      var status = statuses[worker.pod.uid] ?? pending(worker.pod)
      status.step = worker.worker.step.withLock { $0 }
      return (worker.pod, status)
    }
    for pod in (wanted ?? [:]).values where workers[pod.uid] == nil { list.append((pod, pending(pod))) }
    return list.sorted { ($0.0.fullName, $0.0.uid) < ($1.0.fullName, $1.0.uid) }
  }

  /// Why the runtime does not answer, while it does not; and when it last did (nanoseconds since the epoch).
  public func runtimeHealth() async -> (error: String?, lastRelist: Int64) {
    guard let pleg, isAdopted else { return (startProblem ?? "not asked yet", 0) }
    let health = await pleg.health
    return (health.runtimeError, health.lastRelist)
  }

  // MARK: Running

  /// Runs until cancelled. Pods go on without the agent.
  public func run() async {
    let pleg = PodLifecycleEventGenerator(
      runtime: context.runtime, clock: context.now,
      changed: { uid, states in await self.listed(uid, states) },
      runtimeReturned: { await self.runtimeReturned() })
    self.pleg = pleg
    await plegBox.set(pleg)
    guard await adopt() else { return }
    while !Task.isCancelled {
      await pleg.relist()
      if !sharesAreCurrent { await updateBurstableShares() }
      await tellRuntimeState(await pleg.health.runtimeError)
      guard (try? await context.sleep(relistInterval)) != nil else { break }
    }
    for worker in workers.values { worker.task.cancel() }
    for worker in workers.values { await worker.task.value }
  }

  private var toldRuntimeError = false

  /// - Parameter meaning: of the error, for the log.
  func tellRuntimeState(_ error: String?, meaning: String = "the container runtime does not answer, trying again each second") async {
    guard (error != nil) != toldRuntimeError else { return }
    toldRuntimeError = error != nil
    let message = error ?? "the container runtime answers again"
    if let error {
      logger.error("\(meaning)", metadata: ["error": "\(error)"])
    } else {
      logger.notice("\(message)")
    }
    await context.record(
      AgentEvent(
        error == nil ? .normal : .warning, kind: "Node", object: context.node.nodeName,
        reason: error == nil ? "ContainerRuntimeReady" : "ContainerRuntimeNotReady", message: message, at: context.now()))
    await statusChanged()
  }

  private func listed(_ uid: String, _ states: PodLifecycleEventGenerator.PodStates) async {
    if let worker = workers[uid] {
      await worker.worker.runtimeListed(states)
    } else if !states.states.isEmpty {
      await find(uid)
    }
  }

  private func runtimeReturned() async {
    for worker in workers.values { await worker.worker.runtimeReturned() }
  }

  // MARK: Workers

  /// Starts, keeps and stops workers so that they match what is wanted.
  func reconcile() async {
    guard isAdopted, let wanted else { return }
    let names = Set(wanted.values.map(\.fullName))
    let unwanted = workers.values.filter { worker in
      wanted[worker.pod.uid] == nil && (names.contains(worker.pod.fullName) || !brokenFiles.contains(worker.pod.pod.source.file))
    }
    for pod in wanted.values.sorted(by: { $0.fullName < $1.fullName }) where workers[pod.uid] == nil {
      if nameIsTaken(by: pod) { continue }
      let known = found.removeValue(forKey: pod.uid)
      if known != nil { logger.info("adopted a running pod", metadata: ["pod": "\(pod.fullName)", "uid": "\(pod.uid)"]) }
      startWorker(pod, isNew: known == nil)
    }
    stopOrphans()
    // Nothing waits above, so that no decision rests on a wanted set that was replaced meanwhile.
    for worker in unwanted { await worker.worker.terminate() }
    await statusChanged()
  }

  /// Two versions of one pod never run side by side: they would fight over names, ports and volumes.
  private func nameIsTaken(by pod: ManagedPod) -> Bool {
    if workers.values.contains(where: { $0.pod.fullName == pod.fullName }) { return true }
    guard let orphan = found.values.first(where: { $0.fullName == pod.fullName && $0.uid != pod.uid }) else { return false }
    found.removeValue(forKey: orphan.uid)
    startTerminating(orphan)
    return true
  }

  private func stopOrphans() {
    for orphan in found.values {
      if brokenFiles.contains(orphan.manifest) {
        logger.warning(
          "left a running pod alone: its manifest cannot be read", metadata: ["pod": "\(orphan.fullName)", "file": "\(orphan.manifest)"])
        continue
      }
      found.removeValue(forKey: orphan.uid)
      startTerminating(orphan)
    }
  }

  private func startTerminating(_ orphan: FoundPod) {
    logger.info("stopping a pod that has no manifest any more", metadata: ["pod": "\(orphan.fullName)", "uid": "\(orphan.uid)"])
    startWorker(orphan.asManagedPod, isNew: false, terminating: true)
  }

  private func startWorker(_ pod: ManagedPod, isNew: Bool, terminating: Bool = false) {
    let worker = PodWorker(pod: pod, objects: objects, isNew: isNew, context: context) { pod, status, isObserved in
      await self.reported(pod, status, isObserved: isObserved)
    }
    let task = Task {
      if terminating { await worker.terminate() }
      await worker.run()
      if !Task.isCancelled { await self.ended(pod) }
    }
    sharesAreCurrent = false
    workers[pod.uid] = Worker(pod: pod, worker: worker, task: task)
  }

  private func reported(_ pod: ManagedPod, _ status: PodStatus, isObserved: Bool) async {
    guard workers[pod.uid] != nil else { return }
    statuses[pod.uid] = status
    if isObserved { observed.insert(pod.uid) }
    await statusChanged()
  }

  private func ended(_ pod: ManagedPod) async {
    workers[pod.uid] = nil
    sharesAreCurrent = false
    statuses[pod.uid] = nil
    observed.remove(pod.uid)
    await podEnded(pod)
    // A pod that was wanted again while it was stopped, or one of the same name, can start now.
    await reconcile()
  }

  private func pending(_ pod: ManagedPod) -> PodStatus {
    PodStatusBuilder(
      pod: pod.pod, observation: PodObservation(), backingOff: [:], problems: [:], isTerminating: false,
      firstSeen: context.now(), hostAddresses: context.node.addresses
    ).status()
  }
}

/// Lets workers reach the generator that is made after them.
private actor PLEGBox {
  private var generator: PodLifecycleEventGenerator?

  func set(_ generator: PodLifecycleEventGenerator) { self.generator = generator }

  func register(_ sandbox: String, _ uid: String) async { await generator?.register(sandbox: sandbox, pod: uid) }
}
