import CRI
import Glibc
import KubeModel

extension PodWorker {
  /// Takes the pod down, in an order that loses no connection and leaves nothing: out of the proxy, containers with their
  /// grace period, sandboxes, volumes, cgroup, logs. Any step may fail; then the whole is tried again, and what is done
  /// already is done at once.
  func stopPod() async {
    guard case .terminating(let grace) = state else { return }
    backingOff = [:]
    do {
      // A pod found at the start has no address yet as far as Services know: first looked at, then drained.
      if !hasObserved { try await look() }
      await report()
      await during("taking it out of Services") { await context.drain(pod) }
      try await look()
      await report()
      let live = observation.containers.filter(\.isLive)
      for container in live {
        await context.event(.normal, pod, "Killing", "stopping container \(container.name), \(grace) s grace")
      }
      try await during("StopContainer") { () async throws(CRIError) in try await stopContainers(live.map(\.id), grace: grace) }
      try await removeSandboxes()
      try await removeFilesAndCgroup()
      observation = PodObservation()
      retries.forgetAll()
      state.stopped()
      await context.event(.normal, pod, "Removed", "pod and everything of it is gone from this node")
    } catch {
      guard !Task.isCancelled else { return }
      await failLoudly("stop", "FailedKillPod", "\(error)")
    }
  }

  private func look() async throws(CRIError) {
    let known = observation
    observation = try await during("asking the runtime") { () async throws(CRIError) -> PodObservation in
      try await PodObserver(runtime: context.runtime).observe(pod.uid, known: known)
    }
    hasObserved = true
  }

  /// All at once, so that the pod takes one grace period and not one for each container.
  func stopContainers(_ ids: [String], grace: Int64) async throws(CRIError) {
    let runtime = context.runtime
    let failure = await withTaskGroup(of: CRIError?.self) { group in
      for id in ids {
        group.addTask {
          do throws(CRIError) {
            try await runtime.stopContainer(id, gracePeriod: .seconds(grace))
            return nil
          } catch {
            return error
          }
        }
      }
      return await group.reduce(nil as CRIError?) { $0 ?? $1 }
    }
    if let failure { throw failure }
  }

  private func removeSandboxes() async throws(CRIError) {
    for sandbox in observation.sandboxes {
      try await during("StopPodSandbox") { () async throws(CRIError) in try await context.runtime.stopPodSandbox(sandbox.id) }
    }
    for container in observation.containers {
      try await during("RemoveContainer") { () async throws(CRIError) in try await context.runtime.removeContainer(container.id) }
    }
    for sandbox in observation.sandboxes {
      try await during("RemovePodSandbox") { () async throws(CRIError) in try await context.runtime.removePodSandbox(sandbox.id) }
    }
  }

  /// The cgroup first: the directory is what tells the next run of the daemon that something of the pod may be left.
  private func removeFilesAndCgroup() async throws {
    try await removeCgroup()
    let podDirectory = context.node.podDirectory(pod.uid)
    let logDirectory = context.node.podLogDirectory(pod)
    try await during("removing volumes") {
      try await BlockingCall.run("volumes of \(pod.fullName)", within: .seconds(60)) {
        try VolumeManager.tearDown(podDirectory: podDirectory)
        try Files.removeTree(logDirectory)
      }
    }
  }

  private func removeCgroup() async throws(CgroupError) {
    guard let cgroups = context.cgroups else { return }
    for path in context.tree.paths(ofPod: pod.uid) {
      try await during("removing cgroup") { () async throws(CgroupError) in
        try await cgroups.kill(path)
        try await cgroups.remove(path)
      }
    }
  }
}
