import ArgumentParser
import KubeModel

/// Flags of the service proxy, with kube-proxy's names. A flag wins over a configuration file.
struct ProxyOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "false: leave pods to a kubelet beside, and only serve Services, as kube-proxy does. No runtime is needed then.",
      valueName: "bool"))
  var pods: Bool?

  @Flag(help: "Make the kernel settings the proxy mode needs, which takes full privileges, then end.")
  var initOnly = false

  @Option(
    help: ArgumentHelp(
      "Whether rules that other proxy modes and kube-proxy left are removed once the own ones are committed.", valueName: "bool"))
  var takeOver: Bool?

  @Option(help: ArgumentHelp("Zone of this node, for hints and trafficDistribution.", valueName: "zone"))
  var nodeZone: String?

  @Option(help: ArgumentHelp("The node's primary address, instead of the default route's source. Nothing listens there.", valueName: "ip"))
  var bindAddress: String?

  @Option(help: ArgumentHelp("Hide every client of a cluster address behind the node.", valueName: "bool"))
  var masqueradeAll: Bool?

  @Option(help: ArgumentHelp("Bit of the packet mark that asks for masquerading, 0 to 31.", valueName: "bit"))
  var masqueradeBit: Int32?

  @Option(
    help: ArgumentHelp(
      "How pods of this node are known: ClusterCIDR, NodeCIDR, BridgeInterface or InterfaceNamePrefix.", valueName: "mode"))
  var detectLocalMode: String?

  @Option(help: ArgumentHelp("Bridge the pods are behind, for BridgeInterface.", valueName: "name"))
  var podBridgeInterface: String?

  @Option(help: ArgumentHelp("How the pods' interfaces begin, for InterfaceNamePrefix.", valueName: "prefix"))
  var podInterfaceNamePrefix: String?

  @Option(
    help: ArgumentHelp(
      "Where node ports answer: networks, comma separated, or primary. By default primary in nftables mode, else everywhere.",
      valueName: "list"))
  var nodeportAddresses: String?

  @Option(help: ArgumentHelp("Whether node ports answer on 127.0.0.1 (iptables mode).", valueName: "bool"))
  var iptablesLocalhostNodeports: Bool?

  @Option(help: ArgumentHelp("IPVS scheduler: rr, wrr, lc, wlc, lblc, lblcr, sh, dh, sed, nq, mh, ovf, fo.", valueName: "name"))
  var ipvsScheduler: String?

  @Option(help: ArgumentHelp("Answer no ARP for Service addresses (IPVS mode).", valueName: "bool"))
  var ipvsStrictArp: Bool?

  @Option(help: ArgumentHelp("Networks whose virtual servers are left alone (IPVS mode).", valueName: "list"))
  var ipvsExcludeCidrs: String?

  @Option(help: ArgumentHelp("IPVS timeout of idle TCP connections; 0 leaves the kernel's.", valueName: "duration"))
  var ipvsTcpTimeout: String?

  @Option(help: ArgumentHelp("IPVS timeout of TCP connections after a FIN; 0 leaves the kernel's.", valueName: "duration"))
  var ipvsTcpfinTimeout: String?

  @Option(help: ArgumentHelp("IPVS timeout of UDP; 0 leaves the kernel's.", valueName: "duration"))
  var ipvsUdpTimeout: String?

  @Option(help: ArgumentHelp("Connections tracked for each core at least; 0 leaves the kernel's limit.", valueName: "number"))
  var conntrackMaxPerCore: Int32?

  @Option(help: ArgumentHelp("Connections tracked at least, however few cores.", valueName: "number"))
  var conntrackMin: Int32?

  @Option(help: ArgumentHelp("Timeout of established TCP connections; 0 leaves the kernel's.", valueName: "duration"))
  var conntrackTcpTimeoutEstablished: String?

  @Option(help: ArgumentHelp("Timeout of TCP connections in CLOSE_WAIT; 0 leaves the kernel's.", valueName: "duration"))
  var conntrackTcpTimeoutCloseWait: String?

  @Option(help: ArgumentHelp("Timeout of UDP without an answer; 0 leaves the kernel's.", valueName: "duration"))
  var conntrackUdpTimeout: String?

  @Option(help: ArgumentHelp("Timeout of UDP streams; 0 leaves the kernel's.", valueName: "duration"))
  var conntrackUdpTimeoutStream: String?

  @Option(help: ArgumentHelp("Let packets outside of a TCP window pass.", valueName: "bool"))
  var conntrackTcpBeLiberal: Bool?

  @Option(
    name: [.customLong("sync-period"), .customLong("iptables-sync-period"), .customLong("ipvs-sync-period")],
    help: ArgumentHelp("Between two comparisons of the Service rules with the kernel.", valueName: "duration"))
  var syncPeriod: String?

  @Option(
    name: [.customLong("min-sync-period"), .customLong("iptables-min-sync-period"), .customLong("ipvs-min-sync-period")],
    help: ArgumentHelp(
      "Changes that follow one another within this time go to the kernel together; the first goes at once. Default: 45ms.",
      valueName: "duration"))
  var minSyncPeriod: String?

  @Option(help: ArgumentHelp("Where the proxy's metrics are served; empty turns them off.", valueName: "address:port"))
  var metricsBindAddress: String?

  @Option(
    help: ArgumentHelp(
      "Where the proxy's own health is served; empty turns it off. With --pods=false or a KubeProxyConfiguration: 0.0.0.0:10256.",
      valueName: "address:port"))
  var proxyHealthzBindAddress: String?

  func apply(to settings: inout Settings) throws(SettingsProblem) {
    settings.runsPods = pods ?? settings.runsPods
    settings.isInitOnly = initOnly
    settings.takesOver = takeOver ?? settings.takesOver
    settings.nodeZone = nodeZone ?? settings.nodeZone
    try applyNetwork(to: &settings.proxy)
    try applyIPVS(to: &settings.proxy.ipvs)
    try applyConntrack(to: &settings.proxy.conntrack)
    if let text = syncPeriod {
      let period = try duration(text, "--sync-period")
      guard period > .zero else { throw SettingsProblem("--sync-period \"\(text)\": must be above zero") }
      settings.proxy.iptables.syncPeriod = period
      settings.proxy.nftables.syncPeriod = period
      settings.proxy.ipvs.syncPeriod = period
    }
    if let text = minSyncPeriod {
      let period = try duration(text, "--min-sync-period")
      guard period >= .zero, period <= settings.proxySyncPeriod else {
        throw SettingsProblem("--min-sync-period \"\(text)\": must be between zero and --sync-period (\(settings.proxySyncPeriod))")
      }
      settings.proxy.iptables.minSyncPeriod = period
      settings.proxy.nftables.minSyncPeriod = period
      settings.proxy.ipvs.minSyncPeriod = period
    }
    if let text = metricsBindAddress {
      settings.proxyMetrics = text.isEmpty ? .off : .at(try place(text, "--metrics-bind-address"))
    }
    if let text = proxyHealthzBindAddress {
      settings.proxyHealthz = text.isEmpty ? .off : .at(try place(text, "--proxy-healthz-bind-address"))
    }
  }

  private func applyNetwork(to proxy: inout KubeProxyConfiguration) throws(SettingsProblem) {
    if let text = bindAddress {
      guard let address = IPAddress(text) else { throw SettingsProblem("--bind-address \"\(text)\": must be an IP address") }
      proxy.bindAddress = address
    }
    if let masqueradeAll {
      proxy.iptables.masqueradeAll = masqueradeAll
      proxy.nftables.masqueradeAll = masqueradeAll
    }
    if let bit = masqueradeBit {
      guard (0...31).contains(bit) else { throw SettingsProblem("--masquerade-bit \(bit): must be 0 to 31") }
      proxy.iptables.masqueradeBit = bit
      proxy.nftables.masqueradeBit = bit
    }
    if let text = detectLocalMode {
      guard let mode = DetectLocalMode(rawValue: text) else {
        let words = DetectLocalMode.allCases.map(\.rawValue).joined(separator: ", ")
        throw SettingsProblem("--detect-local-mode \"\(text)\": must be one of \(words)")
      }
      proxy.detectLocalMode = mode
    }
    proxy.detectLocal.bridgeInterface = podBridgeInterface ?? proxy.detectLocal.bridgeInterface
    proxy.detectLocal.interfaceNamePrefix = podInterfaceNamePrefix ?? proxy.detectLocal.interfaceNamePrefix
    if proxy.detectLocalMode == .bridgeInterface, proxy.detectLocal.bridgeInterface == nil {
      throw SettingsProblem("--detect-local-mode BridgeInterface needs --pod-bridge-interface")
    }
    if proxy.detectLocalMode == .interfaceNamePrefix, proxy.detectLocal.interfaceNamePrefix == nil {
      throw SettingsProblem("--detect-local-mode InterfaceNamePrefix needs --pod-interface-name-prefix")
    }
    if let list = nodeportAddresses {
      proxy.nodePortAddresses = list == "primary" ? [.primary] : try ranges(list, "--nodeport-addresses").map { .range($0) }
    }
    proxy.iptables.localhostNodePorts = iptablesLocalhostNodeports ?? proxy.iptables.localhostNodePorts
  }

  private func applyIPVS(to ipvs: inout KubeProxyIPVSConfiguration) throws(SettingsProblem) {
    ipvs.scheduler = ipvsScheduler ?? ipvs.scheduler
    ipvs.strictARP = ipvsStrictArp ?? ipvs.strictARP
    if let list = ipvsExcludeCidrs { ipvs.excludeCIDRs = try ranges(list, "--ipvs-exclude-cidrs") }
    if let text = ipvsTcpTimeout { ipvs.tcpTimeout = try duration(text, "--ipvs-tcp-timeout") }
    if let text = ipvsTcpfinTimeout { ipvs.tcpFinTimeout = try duration(text, "--ipvs-tcpfin-timeout") }
    if let text = ipvsUdpTimeout { ipvs.udpTimeout = try duration(text, "--ipvs-udp-timeout") }
  }

  private func applyConntrack(to conntrack: inout KubeProxyConntrackConfiguration) throws(SettingsProblem) {
    conntrack.maxPerCore = try notNegative(conntrackMaxPerCore, "--conntrack-max-per-core") ?? conntrack.maxPerCore
    conntrack.min = try notNegative(conntrackMin, "--conntrack-min") ?? conntrack.min
    conntrack.tcpBeLiberal = conntrackTcpBeLiberal ?? conntrack.tcpBeLiberal
    if let text = conntrackTcpTimeoutEstablished {
      conntrack.tcpEstablishedTimeout = try duration(text, "--conntrack-tcp-timeout-established")
    }
    if let text = conntrackTcpTimeoutCloseWait {
      conntrack.tcpCloseWaitTimeout = try duration(text, "--conntrack-tcp-timeout-close-wait")
    }
    if let text = conntrackUdpTimeout { conntrack.udpTimeout = try duration(text, "--conntrack-udp-timeout") }
    if let text = conntrackUdpTimeoutStream { conntrack.udpStreamTimeout = try duration(text, "--conntrack-udp-timeout-stream") }
  }

  private func notNegative(_ number: Int32?, _ flag: String) throws(SettingsProblem) -> Int32? {
    if let number, number < 0 { throw SettingsProblem("\(flag) \(number): must not be negative") }
    return number
  }

  private func ranges(_ text: String, _ flag: String) throws(SettingsProblem) -> [CIDR] {
    var ranges: [CIDR] = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      guard let range = CIDR(String(part)) else {
        throw SettingsProblem("\(flag) \"\(text)\": \"\(part)\" is no network such as 10.0.0.0/8")
      }
      ranges.append(range)
    }
    return ranges
  }

  private func duration(_ text: String, _ flag: String) throws(SettingsProblem) -> Duration {
    guard let value = GoDuration.parse(text), value >= .zero else {
      throw SettingsProblem("\(flag) \"\(text)\": must be a duration such as 10s or 15m")
    }
    return value
  }

  private func place(_ text: String, _ flag: String) throws(SettingsProblem) -> AddressAndPort {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    var host = parts.dropLast().joined(separator: ":")
    if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
    guard parts.count > 1, let address = IPAddress(host), let port = UInt16(parts.last ?? ""), port > 0 else {
      throw SettingsProblem("\(flag) \"\(text)\": must be an address and a port, such as 127.0.0.1:10249 or [::1]:10249")
    }
    return AddressAndPort(address: address, port: port)
  }
}
