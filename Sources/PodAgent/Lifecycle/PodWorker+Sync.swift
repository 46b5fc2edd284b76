import CRI
import Glibc
import KubeModel

extension PodWorker {
  /// Rounds of plan and act in one pass at most: sandbox, each init container and the rest need one each. More would mean
  /// that an action does not change what the planner sees.
  private var roundLimit: Int { pod.pod.spec.initContainers.count + 8 }

  /// What an action that failed is noted under; forgotten once a plan asks for none any more.
  private static let actionKeys = ["sandbox", "sync", "removing sandbox", "stopping sandbox", "removing container", "stopping container"]

  func sync() async {
    guard await observeIfNeeded() else { return }
    // What was found is told before anything slow is begun: Services wait for it after a restart of the daemon.
    if !hasReported { await report() }
    guard await prepare() else { return }
    for _ in 0..<roundLimit {
      for container in observation.containers where observation.newest(container.name) == container {
        backoff.observe(container)
      }
      let plan = PodPlanner(spec: pod.pod.spec, observation: observation, backoff: backoff, now: context.now()).plan()
      await note(plan.backingOff)
      guard !plan.actions.isEmpty else { return PodWorker.actionKeys.forEach { retries.succeeded($0) } }
      guard !state.isTerminating, !Task.isCancelled else { return }
      guard await carryOut(plan.actions) else { return }
      await report()
    }
    mustObserve = true
    retries.failed("sync", .init(reason: "SyncLoopLimit", message: "the pod does not settle; looking again"), at: context.now())
  }

  /// - Returns: false when the runtime did not answer; the pass ends and is tried again.
  private func observeIfNeeded() async -> Bool {
    guard mustObserve else { return true }
    // Before asking: what is told while the answer is on its way may be newer than the answer.
    mustObserve = false
    do {
      let known = observation
      let seen = try await during("asking the runtime") { () async throws(CRIError) -> PodObservation in
        try await PodObserver(runtime: context.runtime).observe(pod.uid, known: known)
      }
      await tellExits(before: known, after: seen)
      observation = withTerminationMessages(seen)
      hasObserved = true
      retries.succeeded("observe")
      return true
    } catch {
      mustObserve = true
      fail("observe", "RuntimeUnavailable", "\(error)")
      return false
    }
  }

  /// Cgroup and volumes, before anything runs. A pod that runs goes on with what it has when they cannot be refreshed: a
  /// ConfigMap that was deleted keeps no crashed container from being started again.
  private func prepare() async -> Bool {
    let isUnderWay = !observation.containers.isEmpty
    if !hasCgroup { hasCgroup = await createCgroup() }
    guard hasCgroup || isUnderWay else { return false }
    if !volumesAreCurrent {
      // Before the work: a ConfigMap that changes meanwhile must be seen as newer than what is being written.
      volumesAreCurrent = true
      if !(await setUpVolumes()) { volumesAreCurrent = false }
    }
    return volumesAreCurrent || isUnderWay
  }

  private func createCgroup() async -> Bool {
    guard let cgroups = context.cgroups else { return true }
    let path = context.tree.path(ofPod: pod.uid, QOSClass(pod.pod.spec))
    do {
      let limits = context.tree.limits(of: pod.pod.spec)
      try await during("creating cgroup") { () async throws(CgroupError) in try await cgroups.create(path, limits) }
      retries.succeeded("cgroup")
      return true
    } catch {
      await failLoudly("cgroup", "FailedCreatePodContainer", "cgroup \(path): \(error)")
      return false
    }
  }

  private func setUpVolumes() async -> Bool {
    let volumes = VolumeManager(node: context.node, pod: pod)
    let facts = facts
    let objects = objects
    let stamp = context.now()
    do {
      try await during("setting up volumes") {
        try await BlockingCall.run("volumes of \(pod.fullName)", within: .seconds(60)) {
          try volumes.setUp(facts: facts, objects: objects, stamp: stamp)
        }
      }
      retries.succeeded("volumes")
      return true
    } catch {
      await failLoudly("volumes", "FailedMount", "\(error)")
      return false
    }
  }

  /// - Returns: false when an action failed in a way that leaves the rest of the plan pointless.
  private func carryOut(_ actions: [PodAction]) async -> Bool {
    let doomed = actions.compactMap { action -> (id: String, reason: String)? in
      if case .kill(let id, let reason) = action { (id, reason) } else { nil }
    }
    guard doomed.isEmpty else { return await kill(doomed) }
    var anyDone = false
    for action in actions {
      guard !Task.isCancelled, !state.isTerminating else { return false }
      switch action {
      case .createSandbox(let attempt):
        guard await toItsEnd({ await self.createSandbox(attempt: attempt) }) else { return false }
        anyDone = true
      case .start(let name, let isInit, let attempt, let sandboxID):
        if await start(name, isInit: isInit, attempt: attempt, sandboxID: sandboxID) { anyDone = true }
      case .stopSandbox(let id):
        guard await stopSandbox(id) else { return false }
        anyDone = true
      case .kill:
        continue
      // What is left over and cannot be removed holds up nothing; it is tried again.
      case .removeSandbox(let id):
        if await removeSandbox(id) { anyDone = true }
      case .remove(let id):
        if await perform("removing container", { () async throws(CRIError) in try await context.runtime.removeContainer(id) }) {
          removeFiles(ofContainer: id)
          observation.containers.removeAll { $0.id == id }
          anyDone = true
        }
      }
    }
    return anyDone
  }

  /// The runtime leaves logs to its caller; without this a crash loop would gather one file each five minutes for ever.
  private func removeFiles(ofContainer id: String) {
    guard let container = observation.containers.first(where: { $0.id == id }) else { return }
    unlink("\(context.node.podLogDirectory(pod))/\(container.name)/\(container.attempt).log")
    unlink(
      MountBuilder.terminationMessagePath(
        in: context.node.podDirectory(pod.uid), container: container.name, attempt: container.attempt))
  }

  private func kill(_ doomed: [(id: String, reason: String)]) async -> Bool {
    for (id, reason) in doomed {
      let name = observation.containers.first { $0.id == id }?.name ?? String(id.prefix(12))
      await context.event(.normal, pod, "Killing", "stopping container \(name): \(reason)")
    }
    let grace = pod.pod.spec.terminationGracePeriodSeconds
    let stopped = await perform("stopping container") { () async throws(CRIError) in
      try await stopContainers(doomed.map(\.id), grace: grace)
    }
    guard stopped else { return false }
    mustObserve = true
    return await observeIfNeeded()
  }

  private func removeSandbox(_ id: String) async -> Bool {
    let removed = await perform("removing sandbox") { () async throws(CRIError) in
      try await context.runtime.stopPodSandbox(id)
      try await context.runtime.removePodSandbox(id)
    }
    guard removed else { return false }
    observation.sandboxes.removeAll { $0.id == id }
    observation.containers.removeAll { $0.sandboxID == id }
    return true
  }

  private func stopSandbox(_ id: String) async -> Bool {
    let stopped = await perform("stopping sandbox") { () async throws(CRIError) in
      try await context.runtime.stopPodSandbox(id)
    }
    guard stopped else { return false }
    mustObserve = true
    return await observeIfNeeded()
  }

  private func createSandbox(attempt: UInt32) async -> Bool {
    let config = sandboxConfig(attempt: attempt)
    if retries.holding("sandbox", at: context.now()) != nil { return false }
    do {
      let id = try await during("RunPodSandbox") { () async throws(CRIError) -> String in
        try await context.runtime.runPodSandbox(config)
      }
      await context.registerSandbox(id, pod.uid)
      let addresses =
        pod.pod.spec.hostNetwork
        ? []
        : try await during("PodSandboxStatus") { () async throws(CRIError) -> [IPAddress] in
          try await PodObserver(runtime: context.runtime).addresses(of: id)
        }
      observation.sandboxes.insert(
        ObservedSandbox(id: id, isReady: true, attempt: attempt, createdAt: context.now(), addresses: addresses), at: 0)
      retries.succeeded("sandbox")
      return true
    } catch {
      mustObserve = true
      await failLoudly("sandbox", "FailedCreatePodSandBox", "\(error)")
      return false
    }
  }

  func sandboxConfig(attempt: UInt32) -> CRIPodSandboxConfig {
    SandboxConfigBuilder(
      pod: pod, attempt: attempt, node: context.node,
      cgroupParent: context.tree.path(ofPod: pod.uid, QOSClass(pod.pod.spec)), hostDNS: context.hostDNS,
      placesInCgroup: context.cgroups != nil
    ).config()
  }

  var facts: PodFacts {
    PodFacts(
      pod: pod.pod, uid: pod.uid, nodeName: context.node.nodeName,
      podAddresses: pod.pod.spec.hostNetwork ? context.node.addresses : observation.sandboxes.first?.addresses ?? [],
      hostAddresses: context.node.addresses, cpuMillis: context.node.cpuMillis, memoryBytes: context.node.memoryBytes)
  }

  // MARK: Failures and tellings

  /// One call to the runtime that is simply tried again later when it fails.
  private func perform(_ name: String, _ body: () async throws(CRIError) -> Void) async -> Bool {
    do {
      try await during(name, body)
      retries.succeeded(name)
      return true
    } catch {
      mustObserve = true
      await failLoudly(name, "RuntimeError", "\(error)")
      return false
    }
  }

  func fail(_ key: String, _ reason: String, _ message: String, container: String? = nil) {
    retries.failed(key, .init(reason: reason, message: message, container: container), at: context.now())
  }

  func failLoudly(_ key: String, _ reason: String, _ message: String, container: String? = nil) async {
    guard !Task.isCancelled else { return }
    fail(key, reason, message, container: container)
    await context.event(.warning, pod, reason, container.map { "container \($0): \(message)" } ?? message)
  }

  private func note(_ waiting: [String: Int64]) async {
    for name in waiting.keys.sorted() where backingOff[name] != waiting[name] {
      let seconds = ((waiting[name] ?? 0) - context.now()) / 1_000_000_000
      await context.event(
        .warning, pod, "BackOff", "container \(name) keeps exiting; next start in \(max(seconds, 0) + 1) s")
    }
    backingOff = waiting
  }

  private func tellExits(before: PodObservation, after: PodObservation) async {
    for container in after.containers where container.state == .exited {
      guard let known = before.containers.first(where: { $0.id == container.id }), known.state == .running else { continue }
      let reason = container.reason.isEmpty ? "" : " (\(container.reason))"
      await context.event(
        container.exitCode == 0 ? .normal : .warning, pod, "Died",
        "container \(container.name) exited with code \(container.exitCode)\(reason)")
    }
  }

  /// What a container left in its termination message file, 4 KiB at most as upstream.
  private func withTerminationMessages(_ seen: PodObservation) -> PodObservation {
    var seen = seen
    for index in seen.containers.indices where seen.containers[index].state == .exited && seen.containers[index].message.isEmpty {
      let path = MountBuilder.terminationMessagePath(
        in: context.node.podDirectory(pod.uid), container: seen.containers[index].name, attempt: seen.containers[index].attempt)
      if let content = try? Files.read(path, limit: 4096), !content.isEmpty {
        seen.containers[index].message = String(decoding: content, as: UTF8.self)
      }
    }
    return seen
  }
}
