import KubeModel

/// What resolving needs to know of the node: it decides what is near, local, and asked for by hints.
public struct NodeView: Sendable, Hashable {
  /// How a client is known to be a pod of this node (`detectLocalMode` of kube-proxy).
  public enum PodDetection: Sendable, Hashable {
    /// Not at all: nobody but the node itself is near.
    case none
    /// By its address.
    case networks([CIDR])
    /// By the interface its packets arrive on.
    case interfaces
  }

  /// EndpointSlices name the node an endpoint runs on; this is ours. With an empty one no endpoint is local.
  public var name: String
  /// The label `topology.kubernetes.io/zone`; `nil`: the node has none.
  public var zone: String?
  /// The node's own addresses, the primary one of each family first.
  public var addresses: [IPAddress]
  public var podDetection: PodDetection
  /// Hide every client of a cluster address behind the node (`--masquerade-all`).
  public var masqueradeAll: Bool

  /// Whether pods of this node can be told from other clients.
  public var tellsPods: Bool { podDetection != .none }

  public init(
    name: String, zone: String? = nil, addresses: [IPAddress] = [], podDetection: PodDetection = .none, masqueradeAll: Bool = false
  ) {
    self.name = name
    self.zone = zone
    self.addresses = addresses
    self.podDetection = podDetection
    self.masqueradeAll = masqueradeAll
  }

  /// As kube-proxy, one without a name runs nothing.
  func runs(_ nodeName: String?) -> Bool { !name.isEmpty && nodeName == name }
}
