/// The settings of `KubeProxyConfiguration` (kubeproxy.config.k8s.io/v1alpha1) that the agent uses. Nil means "not given".
public struct KubeProxyConfiguration: Sendable, Hashable {
  public static let apiVersion = "kubeproxy.config.k8s.io/v1alpha1"

  /// The name of a proxy backend, such as `nftables`; nil lets the agent choose.
  public var mode: String?
  /// The ranges pods of the cluster have, at most one of each family.
  public var clusterCIDR: [CIDR]
  /// Where node ports are served; empty for the default.
  public var nodePortAddresses: [NodePortAddress]
  public var bindAddress: IPAddress?
  public var hostnameOverride: String?
  public var iptables: KubeProxyMasquerading
  public var nftables: KubeProxyMasquerading

  public init(
    mode: String? = nil, clusterCIDR: [CIDR] = [], nodePortAddresses: [NodePortAddress] = [], bindAddress: IPAddress? = nil,
    hostnameOverride: String? = nil, iptables: KubeProxyMasquerading = KubeProxyMasquerading(),
    nftables: KubeProxyMasquerading = KubeProxyMasquerading()
  ) {
    self.mode = mode
    self.clusterCIDR = clusterCIDR
    self.nodePortAddresses = nodePortAddresses
    self.bindAddress = bindAddress
    self.hostnameOverride = hostnameOverride
    self.iptables = iptables
    self.nftables = nftables
  }
}

/// One entry of `nodePortAddresses`.
public enum NodePortAddress: Sendable, Hashable {
  /// The node's primary addresses.
  case primary
  /// Every local address inside the range.
  case range(CIDR)
}

/// What a mode's section says about replaced source addresses.
public struct KubeProxyMasquerading: Sendable, Hashable {
  /// Whether the source of all traffic to a cluster address is replaced.
  public var masqueradeAll: Bool
  /// The bit of the packet mark to use, 0…31.
  public var masqueradeBit: Int32?

  public init(masqueradeAll: Bool = false, masqueradeBit: Int32? = nil) {
    self.masqueradeAll = masqueradeAll
    self.masqueradeBit = masqueradeBit
  }
}
