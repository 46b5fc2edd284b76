extension KubeProxyConfiguration {
  /// Settings of kube-proxy 1.36 (and the next one) that have no effect yet.
  private static let unsupported = [
    "bindAddressHardFail", "clientConnection", "configSyncPeriod", "conntrack", "detectLocal", "detectLocalMode", "enableProfiling",
    "featureGates", "healthzBindAddress", "ipvs", "logging", "metricsBindAddress", "oomScoreAdj", "portRange",
    "showHiddenMetricsForVersion", "windowsRunAsService", "winkernel",
  ]

  init(reader r: inout FieldReader) {
    r.ignoreTypeMeta()
    self.init(
      mode: r.setting("mode"), clusterCIDR: r.addressRanges("clusterCIDR"),
      nodePortAddresses: r.values("nodePortAddresses", "an address range such as 10.0.0.0/8, or primary") { text in
        text == "primary" ? .primary : CIDR(text).map(NodePortAddress.range)
      }, bindAddress: r.optionalAddress("bindAddress"), hostnameOverride: r.setting("hostnameOverride"),
      iptables: r.object("iptables") { KubeProxyMasquerading(reader: &$0, more: ["localhostNodePorts"]) } ?? KubeProxyMasquerading(),
      nftables: r.object("nftables") { KubeProxyMasquerading(reader: &$0, more: []) } ?? KubeProxyMasquerading())
    if mode == "kernelspace" { r.report(["mode"], "kernelspace is a Windows mode") }
    if nodePortAddresses.contains(.primary), nodePortAddresses.count > 1 {
      r.report(["nodePortAddresses"], "primary must be the only entry")
    }
    r.unsupportedSettings(KubeProxyConfiguration.unsupported)
  }
}

extension KubeProxyMasquerading {
  init(reader r: inout FieldReader, more: [String]) {
    self.init(masqueradeAll: r.bool("masqueradeAll", default: false), masqueradeBit: r.int32("masqueradeBit", in: 0...31))
    r.unsupportedSettings(["minSyncPeriod", "syncPeriod"] + more)
  }
}

extension FieldReader {
  /// Address ranges in one text, separated by commas, at most one of each family.
  mutating func addressRanges(_ key: String) -> [CIDR] {
    guard let text = setting(key) else { return [] }
    var ranges: [CIDR] = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      guard let range = CIDR(String(part)) else {
        report([.key(key)], "\"\(FieldPath.shortened(String(part)))\" is not an address range such as 10.0.0.0/8")
        return []
      }
      if ranges.contains(where: { $0.family == range.family }) { report([.key(key)], "must have at most one range of each family") }
      ranges.append(range)
    }
    return ranges
  }
}
