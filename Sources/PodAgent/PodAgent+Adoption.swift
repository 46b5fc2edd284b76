import CRI
import KubeModel
import Logging
import SwiftProtobuf

/// A pod of ours that the runtime holds, known only by what is written on its sandbox.
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
    var told = false
    while !Task.isCancelled {
      do {
        try await createFixedCgroups()
        let sandboxes = try await context.runtime.listPodSandboxes(
          .with { $0.labelSelector = [PodLabels.node: context.node.nodeName] })
        for pod in sandboxes.compactMap(FoundPod.init) { found[pod.uid] = pod }
        for sandbox in sandboxes {
          if let uid = sandbox.labels[PodLabels.podUID] { await context.registerSandbox(sandbox.id, uid) }
        }
        isAdopted = true
        await reconcile()
        return true
      } catch {
        if !told {
          told = true
          logger.error("cannot start pods yet, trying again each second", metadata: ["error": "\(error)"])
          await context.record(
            AgentEvent(
              .warning, kind: "Node", object: context.node.nodeName, reason: "ContainerRuntimeNotReady", message: "\(error)",
              at: context.now()))
        }
        guard (try? await context.sleep(.seconds(1))) != nil else { return false }
      }
    }
    return false
  }

  private func createFixedCgroups() async throws {
    guard let cgroups = context.cgroups else { return }
    for (path, limits) in context.tree.fixed { try await cgroups.create(path, limits) }
  }
}

extension PodAgent {
  /// Whether the state of every wanted pod that ran before is known: the runtime was asked, and each worker has reported.
  public var isSettled: Bool {
    isAdopted && wanted != nil && workers.keys.allSatisfy { statuses[$0] != nil }
  }
}

extension PodAgent {
  /// Without a list of the runtime for longer than this the agent is not healthy; upstream's PLEG threshold.
  public static let healthyWithoutRelist = PodLifecycleEventGenerator.healthyFor
}
