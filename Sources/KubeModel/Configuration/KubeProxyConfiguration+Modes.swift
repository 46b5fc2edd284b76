/// The sections `iptables` and `nftables`.
public struct KubeProxyNetfilterConfiguration: Sendable, Hashable {
  /// Whether the source of all traffic to a cluster address is replaced.
  public var masqueradeAll = false
  /// The bit of the packet mark to use, 0…31.
  public var masqueradeBit: Int32?
  /// Whether node ports answer on 127.0.0.1 (iptables only, where nil means true).
  public var localhostNodePorts: Bool?
  public var syncPeriod: Duration?
  public var minSyncPeriod: Duration?

  public init(
    masqueradeAll: Bool = false, masqueradeBit: Int32? = nil, localhostNodePorts: Bool? = nil, syncPeriod: Duration? = nil,
    minSyncPeriod: Duration? = nil
  ) {
    self.masqueradeAll = masqueradeAll
    self.masqueradeBit = masqueradeBit
    self.localhostNodePorts = localhostNodePorts
    self.syncPeriod = syncPeriod
    self.minSyncPeriod = minSyncPeriod
  }
}

/// The section `ipvs`.
public struct KubeProxyIPVSConfiguration: Sendable, Hashable {
  /// The kernel's word, such as `rr`.
  public var scheduler: String?
  /// Virtual servers in these ranges are somebody else's.
  public var excludeCIDRs: [CIDR] = []
  /// Whether ARP is not answered for addresses of the dummy interface.
  public var strictARP = false
  /// Nil leaves the kernel's timeout as it is; likewise the others.
  public var tcpTimeout: Duration?
  public var tcpFinTimeout: Duration?
  public var udpTimeout: Duration?
  public var syncPeriod: Duration?
  public var minSyncPeriod: Duration?

  public init() {}
}

/// The section `conntrack`. Nil means upstream's default; zero leaves the kernel's value as it is.
public struct KubeProxyConntrackConfiguration: Sendable, Hashable {
  /// Connections for each core; 0 leaves the limit as it is, `min` too.
  public var maxPerCore: Int32?
  /// The least limit, however few cores there are.
  public var min: Int32?
  public var tcpEstablishedTimeout: Duration?
  public var tcpCloseWaitTimeout: Duration?
  /// Whether packets outside of a connection's window pass instead of being called invalid.
  public var tcpBeLiberal = false
  /// Of UDP there is no default: nil and zero are the same.
  public var udpTimeout: Duration?
  public var udpStreamTimeout: Duration?

  public static let defaultMaxPerCore: Int32 = 32 << 10
  public static let defaultMin: Int32 = 128 << 10
  public static let defaultTCPEstablishedTimeout = Duration.seconds(24 * 3600)
  public static let defaultTCPCloseWaitTimeout = Duration.seconds(3600)

  public init() {}

  /// The limit of tracked connections on a machine; nil leaves it as it is.
  public func limit(cores: Int) -> Int64? {
    let perCore = Int64(maxPerCore ?? Self.defaultMaxPerCore)
    guard perCore > 0 else { return nil }
    return max(perCore * Int64(max(cores, 1)), Int64(min ?? Self.defaultMin))
  }
}
