/// Which kernel settings the configuration asks for. A function of values.
public enum KernelSettingPlan {
  /// In the order kube-proxy writes them.
  /// - Parameter processors: of the node, not those this process may use.
  public static func settings(_ configuration: ConntrackSettings, processors: Int) -> [KernelSetting] {
    var settings: [KernelSetting] = []
    if let limit = configuration.limit(processors: processors) {
      settings.append(netfilter("max", limit, .atLeast))
      // Four entries a bucket, as the kernel's documentation recommends. The kernel resizes for the initial network
      // namespace only.
      settings.append(KernelSetting(path: hashSizePath, wanted: limit / 4, rule: .atLeast))
    }
    let timeouts = [
      ("tcp_timeout_established", configuration.tcpEstablishedTimeout), ("tcp_timeout_close_wait", configuration.tcpCloseWaitTimeout),
      ("udp_timeout", configuration.udpTimeout), ("udp_timeout_stream", configuration.udpStreamTimeout),
    ]
    for (name, timeout) in timeouts where timeout > .zero {
      // Upstream cuts fractions of a second too; but 0 would forget flows at once.
      settings.append(netfilter(name, max(1, Int(timeout.components.seconds))))
    }
    if configuration.tcpBeLiberal { settings.append(netfilter("tcp_be_liberal", 1)) }
    if configuration.routesLocalnet { settings.append(KernelSetting(path: "proc/sys/net/ipv4/conf/all/route_localnet", wanted: 1)) }
    return settings
  }

  package static let liberalPath = netfilter("tcp_be_liberal", 1).path
  package static let hashSizePath = "sys/module/nf_conntrack/parameters/hashsize"

  private static func netfilter(_ name: String, _ wanted: Int, _ rule: KernelSetting.Rule = .exactly) -> KernelSetting {
    KernelSetting(path: "proc/sys/net/netfilter/nf_conntrack_\(name)", wanted: wanted, rule: rule)
  }
}
