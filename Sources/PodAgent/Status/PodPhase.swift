import KubeModel

/// The phase of a pod as Kubernetes shows it, derived from the spec and what the runtime says.
public enum PodPhase: String, Sendable, Hashable {
  case pending = "Pending"
  case running = "Running"
  case succeeded = "Succeeded"
  case failed = "Failed"

  public init(_ spec: PodSpec, _ observation: PodObservation) {
    let policy = spec.restartPolicy
    if policy == .never {
      let initFailed = spec.initContainers.contains { container in
        observation.newest(container.name).map { $0.state == .exited && $0.exitCode != 0 } ?? false
      }
      if initFailed {
        self = .failed
        return
      }
    }
    // One that is created anew counts as what it was before; one that never ran keeps the pod pending, whatever the
    // others do, as upstream has it.
    let started = spec.containers.compactMap { container in
      observation.containers.first { $0.name == container.name && $0.state != .created }
    }
    guard started.count == spec.containers.count else {
      self = .pending
      return
    }
    if started.contains(where: { $0.state != .exited }) || policy == .always {
      self = .running
    } else if started.allSatisfy({ $0.exitCode == 0 }) {
      self = .succeeded
    } else {
      self = policy == .never ? .failed : .running
    }
  }
}
