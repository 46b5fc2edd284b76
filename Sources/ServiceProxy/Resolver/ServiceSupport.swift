import KubeModel

/// Something a Service asks for that is not programmed, for logs, events and `swiftlet get services`.
public struct ServiceIssue: Sendable, Hashable, CustomStringConvertible {
  /// "spec.sessionAffinity"
  public var fieldPath: String
  public var reason: String

  public init(fieldPath: String, reason: String) {
    self.fieldPath = fieldPath
    self.reason = reason
  }

  public var description: String { "\(fieldPath): \(reason)" }
}

/// Which parts of a Service this version programs. What would answer wrongly without a missing part is not programmed at
/// all, so that nothing half applied looks like success.
struct ServiceSupport {
  var issues: [ServiceIssue] = []
  var isUsable = true
  var programsLoadBalancer = true

  init(_ spec: ServiceSpec) {
    if spec.sessionAffinity == .clientIP {
      isUsable = false
      issues.append(
        ServiceIssue(fieldPath: "spec.sessionAffinity", reason: "ClientIP is not supported yet; the Service is not programmed"))
    }
    if !spec.loadBalancerSourceRanges.isEmpty {
      programsLoadBalancer = false
      issues.append(
        ServiceIssue(
          fieldPath: "spec.loadBalancerSourceRanges", reason: "not supported yet; load balancer addresses are not programmed"))
    }
    if spec.trafficDistribution != nil {
      issues.append(
        ServiceIssue(fieldPath: "spec.trafficDistribution", reason: "not supported yet; endpoints of every zone are used"))
    }
    if spec.healthCheckNodePort != nil {
      issues.append(ServiceIssue(fieldPath: "spec.healthCheckNodePort", reason: "not supported yet; nothing listens there"))
    }
  }
}
