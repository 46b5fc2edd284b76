import CRI
import KubeModel
import SwiftProtobuf

/// Asks the runtime about one pod. What cannot have changed since the last look is not asked for again: an exited
/// container stays as it is, a running one keeps its start.
struct PodObserver: Sendable {
  var runtime: any RuntimeService

  func observe(_ uid: String, known: PodObservation) async throws(CRIError) -> PodObservation {
    let sandboxes = try await runtime.listPodSandboxes(.with { $0.labelSelector = [PodLabels.podUID: uid] })
    let containers = try await runtime.listContainers(.with { $0.labelSelector = [PodLabels.podUID: uid] })
    var observation = PodObservation()
    var seenSandboxes: [ObservedSandbox] = []
    for sandbox in sandboxes { seenSandboxes.append(try await observe(sandbox, known: known)) }
    var seenContainers: [ObservedContainer] = []
    for container in containers {
      if let seen = try await observe(container, known: known) { seenContainers.append(seen) }
    }
    observation = PodObservation(sandboxes: seenSandboxes, containers: seenContainers)
    return observation
  }

  func observe(_ sandbox: CRIPodSandbox, known: PodObservation) async throws(CRIError) -> ObservedSandbox {
    let isReady = sandbox.state == .ready
    var seen = ObservedSandbox(
      id: sandbox.id, isReady: isReady, attempt: sandbox.metadata.attempt, createdAt: sandbox.createdAt)
    if let before = known.sandboxes.first(where: { $0.id == sandbox.id }), !before.addresses.isEmpty {
      seen.addresses = before.addresses
    } else if isReady {
      seen.addresses = try await addresses(of: sandbox.id)
    }
    return seen
  }

  func addresses(of sandboxID: String) async throws(CRIError) -> [IPAddress] {
    let network = try await runtime.podSandboxStatus(sandboxID).network
    return ([network.ip] + network.additionalIps.map(\.ip)).compactMap { IPAddress($0) }
  }

  private func observe(_ container: CRIContainer, known: PodObservation) async throws(CRIError) -> ObservedContainer? {
    let state = ObservedContainer.State(container.state)
    if let before = known.containers.first(where: { $0.id == container.id }), before.state == state, state != .unknown {
      return before
    }
    do {
      return try await status(of: container.id, inSandbox: container.podSandboxID)
    } catch {
      // Removed between the two calls.
      if error.isNotFound { return nil }
      if error.isUnavailable || error.isCancelled { throw error }
      // One container the runtime cannot tell about must not hide the rest of the pod: the list says enough to go on.
      return ObservedContainer(
        id: container.id, sandboxID: container.podSandboxID, name: container.metadata.name, attempt: container.metadata.attempt,
        state: state, createdAt: container.createdAt, image: container.image.image, imageRef: container.imageRef)
    }
  }

  func status(of containerID: String, inSandbox sandboxID: String) async throws(CRIError) -> ObservedContainer {
    let status = try await runtime.containerStatus(containerID)
    return ObservedContainer(
      id: status.id, sandboxID: sandboxID, name: status.metadata.name, attempt: status.metadata.attempt,
      state: ObservedContainer.State(status.state), createdAt: status.createdAt, startedAt: status.startedAt,
      finishedAt: status.finishedAt, exitCode: status.exitCode, reason: status.reason, message: status.message,
      image: status.image.image, imageRef: status.imageRef)
  }
}
