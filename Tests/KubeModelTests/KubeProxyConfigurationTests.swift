import KubeModel
import Testing

/// kube-proxy's configuration file, version v1alpha1 of 1.36.
@Suite struct KubeProxyConfigurationTests {
  private func decode(_ text: String) -> DecodedConfiguration {
    decodeConfiguration("apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n\(text)")
  }

  private func decoded(_ text: String) throws -> KubeProxyConfiguration {
    let decoded = decode(text)
    #expect(decoded.problems.isEmpty, "\(decoded.problems)")
    return try #require(decoded.kubeProxy)
  }

  @Test func everySettingArrives() throws {
    let found = try decoded(
      """
      mode: ipvs
      clusterCIDR: 10.244.0.0/16,fd00:10::/56
      detectLocalMode: BridgeInterface
      detectLocal: {bridgeInterface: cni0, interfaceNamePrefix: veth}
      nodePortAddresses: [10.0.0.0/8, "::/0"]
      bindAddress: 192.0.2.1
      bindAddressHardFail: true
      healthzBindAddress: 0.0.0.0:10256
      metricsBindAddress: "[::1]:10249"
      hostnameOverride: n1
      iptables: {masqueradeAll: true, masqueradeBit: 13, localhostNodePorts: false, minSyncPeriod: 2s, syncPeriod: 40s}
      nftables: {masqueradeAll: true, masqueradeBit: 12, minSyncPeriod: 3s, syncPeriod: 50s}
      ipvs: {excludeCIDRs: [192.0.2.0/24, "fd00::/8"], minSyncPeriod: 4s, syncPeriod: 60s, scheduler: wrr, strictARP: true,
        tcpTimeout: 900s, tcpFinTimeout: 120s, udpTimeout: 300s}
      conntrack: {maxPerCore: 0, min: 131072, tcpBeLiberal: true, tcpEstablishedTimeout: 24h0m0s, tcpCloseWaitTimeout: 0s,
        udpTimeout: 30s, udpStreamTimeout: 180s}
      configSyncPeriod: 15m
      oomScoreAdj: -999
      logging: {format: json, verbosity: 4}
      """)
    #expect(
      found.mode == "ipvs" && found.hostnameOverride == "n1" && found.bindAddress == IPAddress("192.0.2.1") && found.bindAddressHardFail)
    #expect(found.clusterCIDR.map(\.description) == ["10.244.0.0/16", "fd00:10::/56"])
    #expect(found.detectLocalMode == .bridgeInterface)
    #expect(found.detectLocal == DetectLocalConfiguration(bridgeInterface: "cni0", interfaceNamePrefix: "veth"))
    #expect(found.nodePortAddresses == [.range(try #require(CIDR("10.0.0.0/8"))), .range(try #require(CIDR("::/0")))])
    #expect(found.healthzBindAddress?.description == "0.0.0.0:10256" && found.metricsBindAddress?.description == "[::1]:10249")
    #expect(
      found.iptables
        == KubeProxyNetfilterConfiguration(
          masqueradeAll: true, masqueradeBit: 13, localhostNodePorts: false, syncPeriod: .seconds(40), minSyncPeriod: .seconds(2)))
    #expect(
      found.nftables
        == KubeProxyNetfilterConfiguration(masqueradeAll: true, masqueradeBit: 12, syncPeriod: .seconds(50), minSyncPeriod: .seconds(3)))
    let ipvs = found.ipvs
    #expect(ipvs.excludeCIDRs.map(\.description) == ["192.0.2.0/24", "fd00::/8"] && ipvs.scheduler == "wrr" && ipvs.strictARP)
    #expect([ipvs.tcpTimeout, ipvs.tcpFinTimeout, ipvs.udpTimeout] == [.seconds(900), .seconds(120), .seconds(300)])
    #expect([ipvs.syncPeriod, ipvs.minSyncPeriod] == [.seconds(60), .seconds(4)])
    let conntrack = found.conntrack
    #expect(conntrack.maxPerCore == 0 && conntrack.min == 131_072 && conntrack.tcpBeLiberal)
    // Zero is not "not given" here: it leaves the kernel's value as it is.
    #expect([conntrack.tcpEstablishedTimeout, conntrack.tcpCloseWaitTimeout] == [.seconds(86400), .zero])
    #expect([conntrack.udpTimeout, conntrack.udpStreamTimeout] == [.seconds(30), .seconds(180)])
    #expect(found.configSyncPeriod == .seconds(900) && found.oomScoreAdj == -999)
    #expect(found.logging == LoggingConfiguration(format: .json, verbosity: 4))
  }

  @Test func aFileOfACommonInstallerAsksForNothingButItsRanges() throws {
    let found = decode(
      """
      bindAddress: 0.0.0.0
      bindAddressHardFail: false
      clientConnection: {acceptContentTypes: "", burst: 0, contentType: "", kubeconfig: /var/lib/kube-proxy/kubeconfig.conf, qps: 0}
      clusterCIDR: 10.244.0.0/16
      configSyncPeriod: 0s
      conntrack: {maxPerCore: null, min: null, tcpBeLiberal: false, tcpCloseWaitTimeout: null, tcpEstablishedTimeout: null, udpStreamTimeout: 0s, udpTimeout: 0s}
      detectLocal: {bridgeInterface: "", interfaceNamePrefix: ""}
      detectLocalMode: ""
      enableProfiling: false
      healthzBindAddress: ""
      hostnameOverride: ""
      iptables: {localhostNodePorts: null, masqueradeAll: false, masqueradeBit: null, minSyncPeriod: 0s, syncPeriod: 0s}
      ipvs: {excludeCIDRs: null, minSyncPeriod: 0s, scheduler: "", strictARP: false, syncPeriod: 0s, tcpFinTimeout: 0s, tcpTimeout: 0s, udpTimeout: 0s}
      logging: {flushFrequency: 0, options: {json: {infoBufferSize: "0"}, text: {infoBufferSize: "0"}}, verbosity: 0}
      metricsBindAddress: ""
      mode: ""
      nftables: {masqueradeAll: false, masqueradeBit: null, minSyncPeriod: 0s, syncPeriod: 0s}
      nodePortAddresses: null
      oomScoreAdj: null
      portRange: ""
      showHiddenMetricsForVersion: ""
      winkernel: {enableDSR: false, forwardHealthCheckVip: false, networkName: "", rootHnsEndpointName: "", sourceVip: ""}
      """)
    var expected = KubeProxyConfiguration()
    expected.clusterCIDR = [try #require(CIDR("10.244.0.0/16"))]
    expected.bindAddress = IPAddress("0.0.0.0")
    expected.logging.verbosity = 0
    #expect(found.kubeProxy == expected)
    #expect(found.problems.allSatisfy { $0.severity == .warning })
    #expect(Set(found.problems.map(\.fieldPath)).isSubset(of: ["clientConnection", "enableProfiling", "winkernel"]), "\(found.problems)")
  }

  @Test func modesReadTheSectionUpstreamReads() throws {
    let found = try decoded(
      """
      iptables: {masqueradeAll: true, masqueradeBit: 1, minSyncPeriod: 1s, syncPeriod: 31s}
      nftables: {masqueradeBit: 2, minSyncPeriod: 2s, syncPeriod: 32s}
      ipvs: {minSyncPeriod: 3s, syncPeriod: 33s}
      """)
    #expect(["iptables", "ipvs", "nftables"].map { found.masqueradeAll(in: $0) } == [true, true, false])
    #expect(["iptables", "ipvs", "nftables"].map { found.masqueradeBit(in: $0) } == [1, 1, 2])
    #expect(["iptables", "ipvs", "nftables"].map { found.syncPeriod(in: $0) } == [.seconds(31), .seconds(33), .seconds(32)])
    #expect(["iptables", "ipvs", "nftables"].map { found.minSyncPeriod(in: $0) } == [.seconds(1), .seconds(3), .seconds(2)])
  }

  @Test(arguments: [
    ("0.0.0.0", "0.0.0.0:10256"), ("0.0.0.0:1", "0.0.0.0:1"), ("::", "[::]:10256"), ("[::]:65535", "[::]:65535"),
    ("fd00::1", "[fd00::1]:10256"), ("127.0.0.1:10256", "127.0.0.1:10256"),
  ])
  func anAddressMayComeWithoutItsPort(_ text: String, _ expected: String) throws {
    #expect(try decoded("healthzBindAddress: \"\(text)\"").healthzBindAddress?.description == expected)
  }

  @Test func theMetricsPortIsAnotherOne() throws {
    #expect(try decoded("metricsBindAddress: 0.0.0.0").metricsBindAddress?.port == 10249)
    #expect(try decoded("metricsBindAddress: \"\"").metricsBindAddress == nil)
  }

  @Test func primaryIsTheOnlyWordAmongAddresses() throws {
    #expect(try decoded("nodePortAddresses: [primary]").nodePortAddresses == [.primary])
    #expect(decode("nodePortAddresses: [secondary]").problems.map(\.fieldPath) == ["nodePortAddresses[0]"])
  }

  @Test(arguments: DetectLocalMode.allCases)
  func everyWayToTellPodsIsKnown(_ mode: DetectLocalMode) throws {
    let found = try decoded("detectLocalMode: \(mode.rawValue)\ndetectLocal: {bridgeInterface: cni0, interfaceNamePrefix: veth}")
    #expect(found.detectLocalMode == mode)
  }

  @Test func theLimitOfConnectionsGrowsWithTheCores() {
    var conntrack = KubeProxyConntrackConfiguration()
    #expect(conntrack.limit(cores: 2) == 131_072 && conntrack.limit(cores: 8) == 262_144 && conntrack.limit(cores: 0) == 131_072)
    conntrack.min = 0
    #expect(conntrack.limit(cores: 2) == 65536)
    conntrack.maxPerCore = 0
    #expect(conntrack.limit(cores: 8) == nil)
    conntrack.maxPerCore = Int32.max
    #expect(conntrack.limit(cores: 256) == Int64(Int32.max) * 256)
  }

  @Test(arguments: [
    "clientConnection: {kubeconfig: /k}", "enableProfiling: true", "featureGates: {A: true}", "portRange: 1-2",
    "showHiddenMetricsForVersion: \"1.35\"", "windowsRunAsService: true", "winkernel: {networkName: a}",
  ])
  func knownSettingsWithoutEffectAreWarnings(_ text: String) {
    let found = decode(text)
    #expect(found.problems.map(\.severity) == [.warning])
    #expect(found.problems.map(\.fieldPath) == [String(text.prefix { $0 != ":" })])
    #expect(found.kubeProxy == KubeProxyConfiguration())
  }

  @Test(arguments: [
    ("mode: kernelspace", "mode", "Windows"), ("clusterCIDR: 10.0.0.0", "clusterCIDR", "address range"),
    ("clusterCIDR: 10.0.0.0/8,10.1.0.0/16", "clusterCIDR", "each family"),
    ("nodePortAddresses: [primary, 10.0.0.0/8]", "nodePortAddresses", "only entry"),
    ("nftables: {masqueradeBit: 32}", "nftables.masqueradeBit", "between 0 and 31"),
    ("nftables: {localhostNodePorts: true}", "nftables.localhostNodePorts", "unknown field"), ("modes: x", "modes", "did you mean mode?"),
    ("detectLocalMode: Bridge", "detectLocalMode", "ClusterCIDR, NodeCIDR, BridgeInterface, InterfaceNamePrefix"),
    ("detectLocalMode: BridgeInterface", "detectLocal.bridgeInterface", "required"),
    ("detectLocalMode: InterfaceNamePrefix\ndetectLocal: {bridgeInterface: a}", "detectLocal.interfaceNamePrefix", "required"),
    ("healthzBindAddress: localhost:1", "healthzBindAddress", "not an address"),
    ("healthzBindAddress: 0.0.0.0:0", "healthzBindAddress", "not"),
    ("healthzBindAddress: 0.0.0.0:70000", "healthzBindAddress", "not"), ("healthzBindAddress: 0.0.0.0:+1", "healthzBindAddress", "not"),
    ("metricsBindAddress: \"::1:10249:\"", "metricsBindAddress", "not"),
    ("metricsBindAddress: \"[10.0.0.1]:1\"", "metricsBindAddress", "not"),
    ("conntrack: {maxPerCore: -1}", "conntrack.maxPerCore", "between 0"), ("conntrack: {min: -1}", "conntrack.min", "between 0"),
    ("conntrack: {tcpEstablishedTimeout: -1s}", "conntrack.tcpEstablishedTimeout", "negative"),
    ("conntrack: {udpTimeout: 5}", "conntrack.udpTimeout", "quote it"), ("conntrack: {max: 5}", "conntrack.max", "unknown field"),
    ("ipvs: {excludeCIDRs: [10.0.0.1]}", "ipvs.excludeCIDRs[0]", "address range"),
    ("ipvs: {tcpTimeout: -1s}", "ipvs.tcpTimeout", "negative"), ("ipvs: {strictArp: true}", "ipvs.strictArp", "did you mean strictARP?"),
    ("ipvs: {minSyncPeriod: 31s}", "ipvs.minSyncPeriod", "must not exceed syncPeriod"),
    ("mode: nftables\nnftables: {minSyncPeriod: 2s, syncPeriod: 1s}", "nftables.minSyncPeriod", "must not exceed syncPeriod"),
    ("configSyncPeriod: -1s", "configSyncPeriod", "negative"), ("oomScoreAdj: 1001", "oomScoreAdj", "between -1000 and 1000"),
    ("detectLocal: {interface: a}", "detectLocal.interface", "unknown field"), ("bindAddress: node1", "bindAddress", "IP address"),
  ])
  func badSettingsAreErrors(text: String, path: String, part: String) {
    let found = decode(text)
    #expect(found.problems.contains { $0.severity == .error && $0.fieldPath == path && $0.reason.contains(part) }, "\(found.problems)")
    #expect(found.kubeProxy == nil)
  }

  @Test func theSectionsOfOtherModesAreNotHeldToTheirPeriods() throws {
    #expect(try decoded("mode: iptables\nnftables: {minSyncPeriod: 2s, syncPeriod: 1s}").mode == "iptables")
  }
}
