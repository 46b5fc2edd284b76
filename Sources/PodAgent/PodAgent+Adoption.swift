import CRI
import KubeModel
import Logging
import SwiftProtobuf

/// A pod of ours that the runtime holds, known only by what is written on its sandbox (or, without one, by its directory).
struct FoundPod: Sendable, Hashable {
  var uid: String
  var namespace: String
  var name: String
  var labels: [String: String]
  var manifest: String
  var graceSeconds: Int64

  var fullName: String { "\(namespace)/\(name)" }

  init?(_ sandbox: CRIPodSandbox) {
    guard let uid = sandbox.labels[PodLabels.podUID], let namespace = sandbox.labels[PodLabels.podNamespace],
      let name = sandbox.labels[PodLabels.podName]
    else { return nil }
    self.uid = uid
    self.namespace = namespace
    self.name = name
    labels = sandbox.labels
    manifest = sandbox.annotations[PodAnnotations.manifest] ?? ""
    graceSeconds = sandbox.annotations[PodAnnotations.gracePeriod].flatMap { Int64($0) } ?? 30
  }

  init(uid: String, namespace: String, name: String) {
    self.uid = uid
    self.namespace = namespace
    self.name = name
    labels = [:]
    manifest = ""
    graceSeconds = 30
  }

  /// Enough of a pod to stop it.
  var asManagedPod: ManagedPod {
    var spec = PodSpec()
    spec.terminationGracePeriodSeconds = graceSeconds
    return ManagedPod(
      pod: Pod(
        metadata: ObjectMeta(name: name, namespace: namespace, labels: labels, uid: uid), spec: spec,
        source: ManifestSource(file: manifest)),
      uid: uid)
  }
}

extension PodAgent {
  /// Makes the fixed cgroups and finds what of ours the runtime holds. Waits for a runtime that is not up yet.
  /// - Returns: false when cancelled before that succeeded.
  func adopt() async -> Bool {
    while !Task.isCancelled {
      do {
        try await createFixedCgroups()
        let sandboxes = try await context.runtime.listPodSandboxes(
          .with { $0.labelSelector = [PodLabels.node: context.node.nodeName] })
        for sandbox in sandboxes {
          if let uid = sandbox.labels[PodLabels.podUID] { await context.registerSandbox(sandbox.id, uid) }
        }
        for pod in leftovers() { found[pod.uid] = pod }
        for pod in sandboxes.compactMap(FoundPod.init) { found[pod.uid] = pod }
        isAdopted = true
        startProblem = nil
        await reconcile()
        return true
      } catch {
        startProblem = "\(error)"
        await tellRuntimeState("\(error)", meaning: "cannot start pods yet, trying again each second")
        guard (try? await context.sleep(.seconds(1))) != nil else { return false }
      }
    }
    return false
  }

  /// Pods of which only files are left: the daemon was stopped in the middle of making or removing them.
  private func leftovers() -> [FoundPod] {
    let logs = (try? Files.list(context.node.logDirectory)) ?? []
    let uids = (try? Files.list("\(context.node.rootDirectory)/pods")) ?? []
    return uids.map { uid in
      // Neither a namespace nor a name contains "_".
      let words = logs.first { $0.hasSuffix("_\(uid)") }.map { $0.split(separator: "_").map(String.init) } ?? []
      return FoundPod(uid: uid, namespace: words.count == 3 ? words[0] : "", name: words.count == 3 ? words[1] : uid)
    }
  }

  private func createFixedCgroups() async throws {
    guard let cgroups = context.cgroups else { return }
    for (path, limits) in context.tree.fixed { try await cgroups.create(path, limits) }
    // All pods together weigh as much as the node has CPUs, against the system's own services.
    let shares = ResourceLimits.shares(milliCPU: context.node.cpuMillis)
    try await cgroups.set(context.tree.root, CgroupLimits(cpuShares: shares))
  }

  /// A pod of ours that the runtime holds and nobody looks after: a sandbox that an earlier run of the daemon had asked for
  /// and that was finished after this one had looked.
  func find(_ uid: String) async {
    guard isAdopted, found[uid] == nil else { return }
    let ours = [PodLabels.node: context.node.nodeName, PodLabels.podUID: uid]
    let sandboxes = try? await context.runtime.listPodSandboxes(.with { $0.labelSelector = ours })
    guard workers[uid] == nil, let pod = sandboxes?.compactMap(FoundPod.init).first else { return }
    found[uid] = pod
    await reconcile()
  }

  /// Burstable pods together weigh what they ask for together, against the guaranteed ones beside them.
  func updateBurstableShares() async {
    guard let cgroups = context.cgroups else { return }
    let shares = context.tree.burstableShares(of: workers.values.map(\.pod.pod.spec))
    sharesAreCurrent = true
    do {
      try await cgroups.set(context.tree.burstable, CgroupLimits(cpuShares: shares))
    } catch {
      sharesAreCurrent = false
      logger.warning("cannot set the CPU weight of burstable pods; trying again", metadata: ["error": "\(error)"])
    }
  }
}

extension PodAgent {
  /// Whether the state of every wanted pod that ran before is known: each worker has an answer of the runtime.
  public var isSettled: Bool {
    isAdopted && wanted != nil && observed.isSuperset(of: workers.keys)
  }
}

extension PodAgent {
  /// Without a list of the runtime for longer than this the agent is not healthy; upstream's PLEG threshold.
  public static let healthyWithoutRelist = PodLifecycleEventGenerator.healthyFor
}
