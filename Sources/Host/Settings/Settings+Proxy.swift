import Conntrack
import KubeModel
import ServiceProxy

/// What the settings mean for the service proxy on this node.
extension Settings {
  /// The mode's name: of a path that of the library. "auto" stays.
  package var proxyModeName: String {
    guard proxyMode.contains("/") else { return proxyMode.isEmpty ? "auto" : proxyMode }
    let file = proxyMode.split(separator: "/").last ?? ""
    return file.hasPrefix("libswiftlet_") && file.hasSuffix(".so") ? String(file.dropFirst(12).dropLast(3)) : proxyMode
  }

  /// The section of the configuration that counts: what `auto` will find is not known yet, and most likely nftables.
  private var section: String { proxyModeName == "auto" ? "nftables" : proxyModeName }

  /// Between two comparisons of the Service rules with the kernel.
  package var proxySyncPeriod: Duration { proxy.syncPeriod(in: section) ?? .seconds(30) }

  /// The configuration a proxy backend is made with (`swiftlet/ext/proxy.h`).
  /// - Parameter addresses: the node's own, the primary one of each family first.
  package func proxyPairs(nodeAddresses addresses: [IPAddress]) -> [String: String] {
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
    if let bit = proxy.masqueradeBit(in: section) { pairs["masquerade-bit"] = String(bit) }
    if proxy.conntrack.tcpBeLiberal { pairs["drop-invalid"] = "false" }
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

  /// Only iptables mode can, and does unless told not to, as upstream.
  private var servesLocalhostNodePorts: Bool { proxyModeName == "iptables" && proxy.iptables.localhostNodePorts ?? true }

  package func nodePorts(_ addresses: [IPAddress]) -> NodePortAddresses {
    NodePortAddresses(proxy.nodePortAddresses, nodeAddresses: addresses, servesLocalhost: servesLocalhostNodePorts)
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
      name: name, zone: nodeZone, addresses: addresses, podDetection: podDetection, masqueradeAll: proxy.masqueradeAll(in: section))
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
    settings.routesLocalnet = servesLocalhostNodePorts
    return settings
  }

  /// Settings of the proxy that this version takes without effect, or that contradict each other.
  package func proxyWarnings(nodeAddresses: [IPAddress]) -> [String] {
    var warnings = nodePorts(nodeAddresses).warnings
    if proxy.detectLocalMode == .nodeCIDR, proxy.clusterCIDR.isEmpty {
      warnings.append(
        "detectLocalMode NodeCIDR: there is no Node object without an API server; name the node's pod networks with --cluster-cidr")
    }
    if proxy.minSyncPeriod(in: section) != nil {
      warnings.append("minSyncPeriod has no effect: one change goes to the kernel at once, more are gathered while it is busy")
    }
    return warnings
  }
}
