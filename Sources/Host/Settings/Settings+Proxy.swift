import Conntrack
import KubeModel
import PluginHost
import ServiceProxy

/// What the settings mean for the service proxy on this node.
extension Settings {
  /// The mode's name: of a path that of the library. "auto" stays until a backend is chosen.
  package var proxyModeName: String {
    if let chosenProxyMode { return chosenProxyMode }
    guard proxyMode.contains("/") else { return proxyMode.isEmpty ? "auto" : proxyMode }
    let file = proxyMode.split(separator: "/").last ?? ""
    return file.hasPrefix("libswiftlet_") && file.hasSuffix(".so") ? String(file.dropFirst(12).dropLast(3)) : proxyMode
  }

  /// The settings of a daemon that runs with this backend, which `auto` may have chosen; `nil`: with none.
  package func running(_ mode: String?) -> Settings {
    var settings = self
    settings.chosenProxyMode = mode ?? "none"
    return settings
  }

  /// What a backend is made for before `auto` has come to one: the first it asks.
  package var expectedProxyMode: String {
    proxyModeName == "auto" ? PluginSelector.candidates(for: .proxy).first ?? "nftables" : proxyModeName
  }

  /// Whether the configuration names no mode. kube-proxy then runs iptables, and reads that section: where `auto` comes to
  /// nftables, what the section of iptables says counts too unless that of nftables says something else.
  var readsBothSections: Bool { PluginChoice(proxyMode) == .auto && expectedProxyMode == "nftables" }

  private var masqueradesAll: Bool {
    proxy.masqueradeAll(in: expectedProxyMode) || (readsBothSections && proxy.iptables.masqueradeAll)
  }

  private var masqueradeBit: Int32? {
    proxy.masqueradeBit(in: expectedProxyMode) ?? (readsBothSections ? proxy.iptables.masqueradeBit : nil)
  }

  /// Between two comparisons of the Service rules with the kernel.
  package var proxySyncPeriod: Duration {
    proxy.syncPeriod(in: expectedProxyMode) ?? (readsBothSections ? proxy.iptables.syncPeriod : nil) ?? .seconds(30)
  }

  /// Between the beginnings of two syncs, see `SyncPacing`. kube-proxy's own default, a second, fits syncs that cost far more.
  package var proxyMinSyncPeriod: Duration {
    proxy.minSyncPeriod(in: expectedProxyMode) ?? (readsBothSections ? proxy.iptables.minSyncPeriod : nil) ?? ProxyLoop.usualPace
  }

  /// The configuration a proxy backend is made with (`swiftlet/ext/proxy.h`).
  /// - Parameters:
  ///   - addresses: the node's own, the primary one of each family first.
  ///   - isConntrackLiberal: what the kernel is set to, whoever did it: then nothing is dropped as INVALID, as upstream.
  ///   - takesDelayedSegments: what the kernel does by itself, see `KernelSettings.takesDelayedSegments`.
  package func proxyPairs(
    nodeAddresses addresses: [IPAddress], isConntrackLiberal: Bool = false, takesDelayedSegments: Bool = false
  ) -> [String: String] {
    var pairs: [String: String] = [:]
    func networks(_ key: String, _ list: [CIDR]) {
      if !list.isEmpty { pairs[key] = list.map { "\($0)" }.joined(separator: ",") }
    }
    switch podDetection {
    case .networks(let list): networks("cluster-cidrs", list)
    case .interfaces:
      if proxy.detectLocalMode == .bridgeInterface {
        pairs["pod-interface"] = proxy.detectLocal.bridgeInterface
      } else {
        pairs["pod-interface-prefix"] = proxy.detectLocal.interfaceNamePrefix
      }
    case .none: break
    }
    networks("nodeport-cidrs", nodePorts(addresses).networks)
    networks("service-cidrs", serviceRanges)
    if let masqueradeBit { pairs["masquerade-bit"] = String(masqueradeBit) }
    // Dropping what is INVALID breaks asymmetric routes (kubernetes/kubernetes#94861) and costs each forwarded packet a look, so
    // kube-proxy's nftables mode never does (#122663), and leaves kernels before 6.1 with resets.
    let isSpared = proxyModeName == "nftables" && takesDelayedSegments
    if proxy.conntrack.tcpBeLiberal || isConntrackLiberal || isSpared { pairs["drop-invalid"] = "false" }
    if servesLocalhostNodePorts { pairs["localhost-nodeports"] = "true" }
    if proxyModeName == "ipvs" { pairs.merge(ipvsPairs) { $1 } }
    return pairs
  }

  private var ipvsPairs: [String: String] {
    var pairs: [String: String] = [:]
    pairs["scheduler"] = proxy.ipvs.scheduler
    if proxy.ipvs.strictARP { pairs["strict-arp"] = "true" }
    if !proxy.ipvs.excludeCIDRs.isEmpty { pairs["exclude-cidrs"] = proxy.ipvs.excludeCIDRs.map { "\($0)" }.joined(separator: ",") }
    let timeouts = [
      ("tcp-timeout", proxy.ipvs.tcpTimeout), ("tcpfin-timeout", proxy.ipvs.tcpFinTimeout), ("udp-timeout", proxy.ipvs.udpTimeout),
    ]
    for (key, timeout) in timeouts {
      if let timeout, timeout > .zero { pairs[key] = String(max(1, timeout.components.seconds)) }
    }
    return pairs
  }

  /// How pods of this node are told from others.
  package var podDetection: NodeView.PodDetection {
    switch proxy.detectLocalMode {
    case .bridgeInterface, .interfaceNamePrefix: .interfaces
    case .clusterCIDR, .nodeCIDR, nil: proxy.clusterCIDR.isEmpty ? .none : .networks(proxy.clusterCIDR)
    }
  }

  package func nodeView(name: String, addresses: [IPAddress]) -> NodeView {
    NodeView(
      name: name, zone: nodeZone, addresses: primaryFirst(addresses), podDetection: podDetection, masqueradeAll: masqueradesAll)
  }

  package var conntrack: ConntrackSettings {
    var settings = ConntrackSettings()
    let given = proxy.conntrack
    if let value = given.maxPerCore { settings.maxPerCore = Int(value) }
    if let value = given.min { settings.min = Int(value) }
    settings.tcpEstablishedTimeout = given.tcpEstablishedTimeout ?? settings.tcpEstablishedTimeout
    settings.tcpCloseWaitTimeout = given.tcpCloseWaitTimeout ?? settings.tcpCloseWaitTimeout
    settings.udpTimeout = given.udpTimeout ?? settings.udpTimeout
    settings.udpStreamTimeout = given.udpStreamTimeout ?? settings.udpStreamTimeout
    settings.tcpBeLiberal = given.tcpBeLiberal
    // Otherwise the backend does it, once the rules are there that guard loopback.
    settings.routesLocalnet = isInitOnly && servesLocalhostNodePorts
    return settings
  }
}
