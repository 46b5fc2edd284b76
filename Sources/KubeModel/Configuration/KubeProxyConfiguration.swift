/// The settings of `KubeProxyConfiguration` (kubeproxy.config.k8s.io/v1alpha1) that the agent uses. Nil means "not given".
public struct KubeProxyConfiguration: Sendable, Hashable {
  public static let apiVersion = "kubeproxy.config.k8s.io/v1alpha1"

  /// The name of a proxy backend, such as `nftables`; nil lets the agent choose.
  public var mode: String?
  /// The ranges pods of the cluster have, at most one of each family.
  public var clusterCIDR: [CIDR] = []
  /// How pods of this node are told from other clients; nil means `ClusterCIDR`.
  public var detectLocalMode: DetectLocalMode?
  public var detectLocal = DetectLocalConfiguration()
  /// Where node ports are served; empty for the default.
  public var nodePortAddresses: [NodePortAddress] = []
  /// The node's primary address, whatever the Node object says. No socket is bound to it.
  public var bindAddress: IPAddress?
  /// Whether a health or metrics port that is taken ends the agent.
  public var bindAddressHardFail = false
  public var healthzBindAddress: AddressAndPort?
  public var metricsBindAddress: AddressAndPort?
  public var hostnameOverride: String?
  public var iptables = KubeProxyNetfilterConfiguration()
  public var nftables = KubeProxyNetfilterConfiguration()
  public var ipvs = KubeProxyIPVSConfiguration()
  public var conntrack = KubeProxyConntrackConfiguration()
  /// How often everything is read anew from the API server.
  public var configSyncPeriod: Duration?
  /// −1000…1000.
  public var oomScoreAdj: Int32?
  public var logging = LoggingConfiguration()

  public init() {}

  /// Whether the source of all traffic to a cluster address is replaced. As upstream every mode but nftables reads it from
  /// the section of iptables.
  public func masqueradeAll(in mode: String) -> Bool { mode == "nftables" ? nftables.masqueradeAll : iptables.masqueradeAll }

  /// The bit of the packet mark that asks for masquerading, likewise.
  public func masqueradeBit(in mode: String) -> Int32? { mode == "nftables" ? nftables.masqueradeBit : iptables.masqueradeBit }

  /// How often everything is compared with the kernel.
  public func syncPeriod(in mode: String) -> Duration? {
    switch mode {
    case "nftables": nftables.syncPeriod
    case "ipvs": ipvs.syncPeriod
    default: iptables.syncPeriod
    }
  }

  /// How long changes are gathered at least.
  public func minSyncPeriod(in mode: String) -> Duration? {
    switch mode {
    case "nftables": nftables.minSyncPeriod
    case "ipvs": ipvs.minSyncPeriod
    default: iptables.minSyncPeriod
    }
  }
}

/// What tells the pods of this node from other clients.
public enum DetectLocalMode: String, Sendable, Hashable, CaseIterable {
  /// An address in the ranges of the cluster's pods; without any nothing is told.
  case clusterCIDR = "ClusterCIDR"
  /// An address in the ranges the Node object gives this node's pods.
  case nodeCIDR = "NodeCIDR"
  case bridgeInterface = "BridgeInterface"
  case interfaceNamePrefix = "InterfaceNamePrefix"
}

/// What some of the ways to tell pods need.
public struct DetectLocalConfiguration: Sendable, Hashable {
  public var bridgeInterface: String?
  public var interfaceNamePrefix: String?

  public init(bridgeInterface: String? = nil, interfaceNamePrefix: String? = nil) {
    self.bridgeInterface = bridgeInterface
    self.interfaceNamePrefix = interfaceNamePrefix
  }
}

/// One entry of `nodePortAddresses`.
public enum NodePortAddress: Sendable, Hashable {
  /// The node's primary addresses.
  case primary
  /// Every local address inside the range.
  case range(CIDR)
}

/// Where a server listens.
public struct AddressAndPort: Sendable, Hashable, CustomStringConvertible {
  public var address: IPAddress
  public var port: UInt16

  public init(address: IPAddress, port: UInt16) {
    self.address = address
    self.port = port
  }

  public var description: String { address.family == .v6 ? "[\(address)]:\(port)" : "\(address):\(port)" }
}
