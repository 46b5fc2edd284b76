/// What the decoder does with each kind it may meet.
enum KnownKind {
  /// Decoded into an object; the value is the only `apiVersion` taken.
  case object(apiVersion: String)
  /// Holds objects in `items`; the value is the kind of items that name none.
  case list(itemKind: String?)
  /// Makes pods somewhere else.
  case workload
  case endpoints
  case configuration
  case other

  init(_ kind: String) {
    switch kind {
    case "Pod", "ConfigMap", "Secret", "Service": self = .object(apiVersion: "v1")
    case "EndpointSlice": self = .object(apiVersion: "discovery.k8s.io/v1")
    case "List": self = .list(itemKind: nil)
    case "PodList", "ConfigMapList", "SecretList", "ServiceList", "EndpointSliceList": self = .list(itemKind: String(kind.dropLast(4)))
    case "Deployment", "ReplicaSet", "ReplicationController", "StatefulSet", "DaemonSet", "Job", "CronJob", "PodTemplate": self = .workload
    case "Endpoints": self = .endpoints
    case "KubeletConfiguration", "KubeProxyConfiguration", "SwiftletConfiguration": self = .configuration
    default: self = .other
    }
  }

  static let objectKinds = ["Pod", "ConfigMap", "Secret", "Service", "EndpointSlice", "List"]

  /// Why a kind without an object is refused.
  func refusal(kind: String, apiVersion: String) -> String {
    let named = "kind \(FieldPath.shortened(kind))" + (apiVersion.isEmpty ? "" : " (\(FieldPath.shortened(apiVersion)))")
    switch self {
    case .workload:
      return "\(named) is not run by a node agent without an API server: write the Pod it would create"
    case .endpoints:
      return "\(named) is not read: write an EndpointSlice (discovery.k8s.io/v1) with the label \(EndpointSlice.serviceNameLabel)"
    case .configuration:
      return "\(named) is the agent's configuration, not a manifest: give its file with --config"
    default:
      // A kind of another API group may be spelt nearly like one of these and mean something else.
      let isOfOurGroups = ["", "v1", "discovery.k8s.io/v1"].contains(apiVersion)
      let near = isOfOurGroups ? Spelling.nearest(to: kind, among: KnownKind.objectKinds) : nil
      let hint = near.map { ", did you mean \($0)?" }
      return "\(named) has no meaning for a node agent without an API server"
        + (hint ?? ": Pod, ConfigMap, Secret, Service and EndpointSlice have")
    }
  }
}
