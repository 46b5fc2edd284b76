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
    let latest = spec.containers.map { observation.newest($0.name) }
    let started = latest.compactMap { $0 }.filter { $0.state == .running || $0.state == .exited || $0.state == .unknown }
    guard started.count == spec.containers.count else {
      self = started.isEmpty ? .pending : .running
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
