import KubeModel

/// Derives the status from what is known; keeps nothing.
struct PodStatusBuilder {
  var pod: Pod
  var observation: PodObservation
  var backingOff: [String: Int64]
  /// By container name; "" for the pod as a whole.
  var problems: [String: PodStatus.Problem]
  var isTerminating: Bool
  var firstSeen: Int64
  /// Addresses of the node, for pods on the host's network.
  var hostAddresses: [IPAddress]

  func status() -> PodStatus {
    let spec = pod.spec
    var containers = spec.initContainers.map { status(of: $0, isInit: true) }
    containers += spec.containers.map { status(of: $0, isInit: false) }
    let sandbox = observation.sandboxes.first
    let allReady = containers.allSatisfy { $0.isInit || $0.isReady }
    return PodStatus(
      phase: PodPhase(spec, observation), qos: QOSClass(spec), containers: containers,
      isInitialized: containers.allSatisfy { !$0.isInit || $0.isReady } || containers.contains { !$0.isInit && !$0.id.isEmpty },
      isReady: allReady && !isTerminating && sandbox?.isReady == true, isTerminating: isTerminating,
      addresses: spec.hostNetwork ? (sandbox == nil ? [] : hostAddresses) : ownAddresses,
      startTime: observation.sandboxes.last?.createdAt ?? firstSeen, step: nil, problem: problems[""])
  }

  /// The address of a sandbox that has ended is given to the next pod.
  private var ownAddresses: [IPAddress] {
    guard let sandbox = observation.sandboxes.first, sandbox.isReady else { return [] }
    return sandbox.addresses
  }

  private func status(of container: Container, isInit: Bool) -> PodStatus.Container {
    let history = observation.containers.filter { $0.name == container.name }
    let latest = history.first
    let dead = history.first { $0.state == .exited && $0.id != latest?.id }
    return PodStatus.Container(
      name: container.name, isInit: isInit, state: state(of: container, latest),
      lastTermination: lastTermination(latest, dead),
      isReady: isInit ? latest?.succeeded == true : latest?.state == .running && observation.sandboxes.first?.isReady == true,
      restartCount: latest?.attempt ?? 0, image: container.image, imageRef: latest?.imageRef ?? "", id: latest?.id ?? "")
  }

  private func state(of container: Container, _ latest: ObservedContainer?) -> PodStatus.Container.State {
    // A container that runs has no problem, whatever failed before it did.
    if let latest, latest.state == .running { return .running(startedAt: latest.startedAt) }
    if let problem = problems[container.name] { return .waiting(reason: problem.reason, message: problem.message) }
    if backingOff[container.name] != nil {
      return .waiting(reason: "CrashLoopBackOff", message: "waiting before the next start of the container")
    }
    guard let latest else {
      return .waiting(
        reason: pod.spec.initContainers.isEmpty ? "ContainerCreating" : "PodInitializing", message: problems[""]?.message ?? "")
    }
    switch latest.state {
    case .running: return .running(startedAt: latest.startedAt)
    case .created: return .waiting(reason: "ContainerCreating", message: "")
    case .unknown: return .waiting(reason: "ContainerStatusUnknown", message: "the runtime cannot tell its state")
    case .exited: return terminated(latest)
    }
  }

  private func lastTermination(_ latest: ObservedContainer?, _ dead: ObservedContainer?) -> PodStatus.Container.State? {
    if let latest, latest.state == .exited, backingOff[latest.name] != nil || problems[latest.name] != nil {
      return terminated(latest)
    }
    return dead.map(terminated)
  }

  private func terminated(_ container: ObservedContainer) -> PodStatus.Container.State {
    let reason = container.reason.isEmpty ? (container.exitCode == 0 ? "Completed" : "Error") : container.reason
    return .terminated(
      exitCode: container.exitCode, reason: reason, message: container.message, startedAt: container.startedAt,
      finishedAt: container.finishedAt)
  }
}
