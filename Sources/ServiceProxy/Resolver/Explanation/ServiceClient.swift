import KubeModel

/// Who connects, for `swiftlet explain --from`.
public struct ServiceClient: Sendable, Hashable {
  public enum Origin: Sendable, Hashable {
    case node
    /// A pod that the proxy can tell to be one.
    case pod
    case outside
  }

  public var address: IPAddress
  public var origin: Origin

  public init(address: IPAddress, origin: Origin) {
    self.address = address
    self.origin = origin
  }

  /// As the proxy sees the address.
  /// - Parameter localPods: addresses of pods of this node; they matter where pods are told by their interface.
  public init(address: IPAddress, node: NodeView, localPods: Set<IPAddress>) {
    let isPod =
      switch node.podDetection {
      case .none: false
      case .networks(let networks): networks.contains { $0.contains(address) }
      case .interfaces: localPods.contains(address)
      }
    let isNode = node.addresses.contains(address) || address.isLoopback
    self.init(address: address, origin: isNode ? .node : isPod ? .pod : .outside)
  }
}
