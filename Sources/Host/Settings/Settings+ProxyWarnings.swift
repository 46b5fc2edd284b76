import KubeModel
import ServiceProxy

extension Settings {
  /// Settings of the proxy that this version takes without effect, or that contradict each other. Of the mode that runs.
  package func proxyWarnings(nodeAddresses: [IPAddress]) -> [String] {
    var warnings = nodePorts(nodeAddresses).warnings
    if proxy.detectLocalMode == .nodeCIDR, proxy.clusterCIDR.isEmpty {
      warnings.append(
        "detectLocalMode NodeCIDR: there is no Node object without an API server; name the node's pod networks with --cluster-cidr")
    }
    if let period = proxy.configSyncPeriod, period > .zero {
      warnings.append("configSyncPeriod has no effect: there is no API server to read everything from anew")
    }
    return warnings + openModeWarnings
  }

  /// A configuration without a mode means iptables to kube-proxy; what nftables mode does otherwise is said, not found out.
  private var openModeWarnings: [String] {
    guard hasKubeProxyConfiguration, readsBothSections else { return [] }
    var differences: [String] = []
    if proxy.nodePortAddresses.isEmpty {
      differences.append("node ports answer at the node's primary addresses only (nodePortAddresses [0.0.0.0/0, ::/0]: at all)")
    }
    if proxy.iptables.localhostNodePorts ?? true { differences.append("node ports do not answer on 127.0.0.1") }
    guard !differences.isEmpty else { return [] }
    let words = differences.joined(separator: ", and ")
    return ["mode is not given: kube-proxy would take iptables, here it is nftables, where \(words); name a mode to choose"]
  }
}
