/// How large the kernel's table of flows is and how long it remembers them: `conntrack` of `KubeProxyConfiguration`, with
/// kube-proxy's defaults.
public struct ConntrackSettings: Sendable, Hashable {
  /// Entries for each processor of the node; 0 leaves the kernel's limit alone.
  public var maxPerCore: Int = 32768
  /// The least the limit is raised to; counts only where `maxPerCore` does.
  public var min: Int = 131072
  /// The timeouts: zero leaves the kernel's.
  public var tcpEstablishedTimeout: Duration = .seconds(86400)
  public var tcpCloseWaitTimeout: Duration = .seconds(3600)
  public var udpTimeout: Duration = .zero
  public var udpStreamTimeout: Duration = .zero
  /// Packets outside of the TCP window are not INVALID.
  public var tcpBeLiberal = false
  /// 127.0.0.0/8 may be routed: wanted where node ports answer on it by address translation.
  public var routesLocalnet = false

  public init() {}

  /// What `nf_conntrack_max` shall be at least; `nil`: it is left alone. Since 1.36 upstream stops at 2^20 lest machines of
  /// many processors spend their memory on it (k/k#137002); here a larger `min` still counts.
  package func limit(processors: Int) -> Int? {
    guard maxPerCore > 0 else { return nil }
    let (product, overflow) = maxPerCore.multipliedReportingOverflow(by: Swift.max(1, processors))
    return Swift.max(min, Swift.min(overflow ? .max : product, 1 << 20))
  }
}
