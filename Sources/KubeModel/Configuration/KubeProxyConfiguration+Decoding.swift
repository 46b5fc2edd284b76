extension KubeProxyConfiguration {
  /// Settings of kube-proxy 1.36 (and the next one) that have no effect. `portRange` has none upstream either.
  private static let unsupported = [
    "clientConnection", "enableProfiling", "featureGates", "portRange", "showHiddenMetricsForVersion", "windowsRunAsService", "winkernel",
  ]
  /// Upstream's ports of health and metrics.
  private static let healthzPort: UInt16 = 10256
  private static let metricsPort: UInt16 = 10249

  init(reader r: inout FieldReader) {
    r.ignoreTypeMeta()
    self.init()
    mode = r.setting("mode")
    clusterCIDR = r.addressRanges("clusterCIDR")
    detectLocalMode = r.word("detectLocalMode", DetectLocalMode.self)
    detectLocal = r.object("detectLocal", DetectLocalConfiguration.init(reader:)) ?? detectLocal
    nodePortAddresses = r.values("nodePortAddresses", "an address range such as 10.0.0.0/8, or primary") { text in
      text == "primary" ? .primary : CIDR(text).map(NodePortAddress.range)
    }
    bindAddress = r.optionalAddress("bindAddress")
    bindAddressHardFail = r.bool("bindAddressHardFail", default: false)
    healthzBindAddress = r.addressAndPort("healthzBindAddress", defaultPort: KubeProxyConfiguration.healthzPort)
    metricsBindAddress = r.addressAndPort("metricsBindAddress", defaultPort: KubeProxyConfiguration.metricsPort)
    hostnameOverride = r.setting("hostnameOverride")
    iptables = r.object("iptables") { KubeProxyNetfilterConfiguration(reader: &$0, hasLocalhost: true) } ?? iptables
    nftables = r.object("nftables") { KubeProxyNetfilterConfiguration(reader: &$0, hasLocalhost: false) } ?? nftables
    ipvs = r.object("ipvs", KubeProxyIPVSConfiguration.init(reader:)) ?? ipvs
    conntrack = r.object("conntrack", KubeProxyConntrackConfiguration.init(reader:)) ?? conntrack
    configSyncPeriod = r.durationSetting("configSyncPeriod")
    oomScoreAdj = r.int32("oomScoreAdj", in: -1000...1000)
    logging = r.object("logging", LoggingConfiguration.init(reader:)) ?? logging
    r.unsupportedSettings(KubeProxyConfiguration.unsupported)
    check(r)
  }

  private func check(_ r: FieldReader) {
    if mode == "kernelspace" { r.report(["mode"], "kernelspace is a Windows mode") }
    if nodePortAddresses.contains(.primary), nodePortAddresses.count > 1 {
      r.report(["nodePortAddresses"], "primary must be the only entry")
    }
    if detectLocalMode == .bridgeInterface, detectLocal.bridgeInterface == nil {
      r.report(["detectLocal", "bridgeInterface"], "required with detectLocalMode BridgeInterface")
    }
    if detectLocalMode == .interfaceNamePrefix, detectLocal.interfaceNamePrefix == nil {
      r.report(["detectLocal", "interfaceNamePrefix"], "required with detectLocalMode InterfaceNamePrefix")
    }
    // Only the section that is used is held to it, as upstream; which one that is may not be known yet.
    for section in ["iptables", "ipvs", "nftables"] where mode == nil || mode == section {
      let longest = syncPeriod(in: section) ?? .seconds(30)
      if let shortest = minSyncPeriod(in: section), shortest > longest {
        r.report([.key(section), "minSyncPeriod"], "must not exceed syncPeriod (\(longest.components.seconds) s)")
      }
    }
  }
}

extension DetectLocalConfiguration {
  init(reader r: inout FieldReader) {
    self.init(bridgeInterface: r.setting("bridgeInterface"), interfaceNamePrefix: r.setting("interfaceNamePrefix"))
  }
}

extension KubeProxyNetfilterConfiguration {
  init(reader r: inout FieldReader, hasLocalhost: Bool) {
    self.init(
      masqueradeAll: r.bool("masqueradeAll", default: false), masqueradeBit: r.int32("masqueradeBit", in: 0...31),
      localhostNodePorts: hasLocalhost ? r.bool("localhostNodePorts") : nil, syncPeriod: r.durationSetting("syncPeriod"),
      minSyncPeriod: r.durationSetting("minSyncPeriod"))
  }
}

extension KubeProxyIPVSConfiguration {
  init(reader r: inout FieldReader) {
    self.init()
    scheduler = r.setting("scheduler")
    excludeCIDRs = r.values("excludeCIDRs", "an address range such as 10.0.0.0/8", CIDR.init(_:))
    strictARP = r.bool("strictARP", default: false)
    tcpTimeout = r.durationSetting("tcpTimeout")
    tcpFinTimeout = r.durationSetting("tcpFinTimeout")
    udpTimeout = r.durationSetting("udpTimeout")
    syncPeriod = r.durationSetting("syncPeriod")
    minSyncPeriod = r.durationSetting("minSyncPeriod")
  }
}

extension KubeProxyConntrackConfiguration {
  init(reader r: inout FieldReader) {
    self.init()
    maxPerCore = r.int32("maxPerCore", in: 0...Int32.max)
    min = r.int32("min", in: 0...Int32.max)
    tcpEstablishedTimeout = r.nonNegativeDuration("tcpEstablishedTimeout")
    tcpCloseWaitTimeout = r.nonNegativeDuration("tcpCloseWaitTimeout")
    tcpBeLiberal = r.bool("tcpBeLiberal", default: false)
    udpTimeout = r.durationSetting("udpTimeout")
    udpStreamTimeout = r.durationSetting("udpStreamTimeout")
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

  /// One of the words of an enumeration, where the empty text means "not given".
  fileprivate mutating func word<T: RawRepresentable & CaseIterable>(_ key: String, _ type: T.Type) -> T? where T.RawValue == String {
    guard let text = setting(key) else { return nil }
    if let value = T(rawValue: text) { return value }
    report([.key(key)], "\"\(FieldPath.shortened(text))\" is not one of \(T.allCases.map(\.rawValue).joined(separator: ", "))")
    return nil
  }

  /// `0.0.0.0:10256`, `[::]:10256`, or an address alone.
  fileprivate mutating func addressAndPort(_ key: String, defaultPort: UInt16) -> AddressAndPort? {
    guard let text = setting(key) else { return nil }
    if let value = AddressAndPort(text, defaultPort: defaultPort) { return value }
    report([.key(key)], "\"\(FieldPath.shortened(text))\" is not an address with a port, such as 0.0.0.0:10256 or [::]:10256")
    return nil
  }
}

extension AddressAndPort {
  fileprivate init?(_ text: String, defaultPort: UInt16) {
    if let address = FieldReader.address(text) {
      self.init(address: address, port: defaultPort)
      return
    }
    guard let colon = text.lastIndex(of: ":") else { return nil }
    let (host, digits) = (text[..<colon], text[text.index(after: colon)...])
    let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
    guard let address = FieldReader.address(String(isBracketed ? host.dropFirst().dropLast() : host)),
      isBracketed == (address.family == .v6), digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
      let port = UInt16(digits), port > 0
    else { return nil }
    self.init(address: address, port: port)
  }
}
