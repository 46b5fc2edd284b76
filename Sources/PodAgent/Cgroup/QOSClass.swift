import KubeModel

/// Quality of service of a pod, from its requests and limits as upstream defines it.
public enum QOSClass: String, Sendable, Hashable {
  case guaranteed = "Guaranteed"
  case burstable = "Burstable"
  case bestEffort = "BestEffort"

  /// Only CPU and memory count. Guaranteed: every container has both limits, and requests equal to them.
  public init(_ spec: PodSpec) {
    let containers = spec.initContainers + spec.containers
    var anySet = false
    var allGuaranteed = true
    for container in containers {
      for resource in ["cpu", "memory"] {
        let limit = container.resources.limits[resource].flatMap { $0.isZero ? nil : $0 }
        // A request that is not written defaults to the limit.
        let request = container.resources.requests[resource].flatMap { $0.isZero ? nil : $0 } ?? limit
        if limit != nil || request != nil { anySet = true }
        if limit == nil || limit != request { allGuaranteed = false }
      }
    }
    self = !anySet ? .bestEffort : allGuaranteed ? .guaranteed : .burstable
  }
}
