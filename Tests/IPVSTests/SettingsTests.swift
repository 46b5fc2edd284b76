import IPVS
import PluginKit
import Testing

/// What configuration is taken, and what it means.
struct SettingsTests {
  @Test(arguments: [
    (["colour": "blue"], "colour", BackendFault.Status.invalid), (["masquerade-bit": "32"], "masquerade-bit", .invalid),
    (["masquerade-bit": "x"], "masquerade-bit", .invalid), (["cluster-cidrs": "10.0.0.0/8,nonsense"], "nonsense", .invalid),
    (["nodeport-cidrs": "10.0.0.0/64"], "nodeport-cidrs", .invalid), (["scheduler": "random"], "random", .invalid),
    (["tcp-timeout": "-1"], "tcp-timeout", .invalid), (["udp-timeout": "9000000"], "udp-timeout", .invalid),
    (["strict-arp": "yes"], "strict-arp", .invalid), (["pod-interface": "br 0"], "pod-interface", .invalid),
    (["pod-interface": "abcdefghijklmnop"], "pod-interface", .invalid),
    (["cluster-cidrs": "10.0.0.0/8", "pod-interface": "br0"], "only one", .invalid),
    (["localhost-nodeports": "true"], "localhost-nodeports", .unsupported),
  ])
  func aConfigurationThatMakesNoSenseIsRefusedByName(_ configuration: [String: String], _ word: String, _ status: BackendFault.Status) {
    let fault = #expect(throws: BackendFault.self) {
      try IPVSBackend(host: HostServices(testing: { _, _ in }), configuration: configuration)
    }
    #expect(fault?.status == status)
    #expect(fault?.message.contains(word) == true)
  }

  @Test func allKeysAreTaken() throws {
    let settings = try Settings([
      "masquerade-bit": "31", "pod-interface-prefix": "veth", "nodeport-cidrs": "192.0.2.0/24", "localhost-nodeports": "false",
      "service-cidrs": "10.96.0.0/16, fd00:96::/112", "drop-invalid": "false", "scheduler": "mh", "strict-arp": "true",
      "exclude-cidrs": "203.0.113.0/24", "tcp-timeout": "1", "tcpfin-timeout": "2", "udp-timeout": "3",
    ])
    #expect(settings.detection == .interfacePrefix("veth"))
    #expect(settings.serviceNetworks.map(\.text) == ["10.96.0.0/16", "fd00:96::/112"])
    #expect(settings.scheduler == "mh" && settings.strictARP && !settings.dropsInvalid)
    #expect(settings.isExcluded(Fixtures.address("203.0.113.7")) && !settings.isExcluded(Fixtures.address("203.0.114.7")))
    #expect([settings.tcpTimeout, settings.tcpFinTimeout, settings.udpTimeout] == [1, 2, 3])
    #expect(try Settings([:]) == Settings())
    for scheduler in ["rr", "wrr", "lc", "wlc", "lblc", "lblcr", "sh", "dh", "sed", "nq", "mh", "ovf", "fo"] {
      #expect(try Settings(["scheduler": scheduler]).scheduler == scheduler)
    }
  }

  @Test func nodePortsAnswerWhereTheyShould() throws {
    let all = try Settings([:])
    let some = try Settings(["nodeport-cidrs": "192.0.2.0/24"])
    for (text, isAll, isSome) in [
      ("192.0.2.1", true, true), ("10.0.1.1", true, false), ("127.0.0.1", false, false), ("::1", false, false), ("fe80::1", false, false),
      ("fd00::1", true, false),
    ] {
      #expect(all.answersNodePorts(Fixtures.address(text)) == isAll, "\(text)")
      #expect(some.answersNodePorts(Fixtures.address(text)) == isSome, "\(text)")
    }
  }

  @Test(arguments: [
    ("6.1.0-38-amd64", false), ("5.9.0", false), ("5.8.18", true), ("4.19.0-27-amd64", true), ("4.1.0", true), ("3.10.0", false),
  ])
  func portsAreReusedAtOnceWhereTheKernelWouldWait(_ release: String, _ isSet: Bool) throws {
    let paths = KernelSettings.wanted(try Settings([:]), release: release).map(\.path)
    #expect(paths.contains("net/ipv4/vs/conn_reuse_mode") == isSet)
    #expect(paths.contains("net/ipv4/vs/conntrack"))
    #expect(!paths.contains { $0.contains("route_localnet") || $0.contains("arp_") })
    let strict = KernelSettings.wanted(try Settings(["strict-arp": "true"]), release: release)
    #expect(strict.contains(KernelSettings.Setting(path: "net/ipv4/conf/all/arp_ignore", value: "1")))
    #expect(strict.contains(KernelSettings.Setting(path: "net/ipv4/conf/all/arp_announce", value: "2")))
  }

  @Test(arguments: UInt32(0)..<32)
  func aMarkOfOursIsKnownWhereverTheMasqueradeBitIs(_ bit: UInt32) {
    let mark = Mark(masqueradeBit: bit)
    var values: Set<UInt32> = []
    for number in [1, 2, 77, 1 << 14, Mark.maximum] as [UInt32] {
      for masquerading in [false, true] {
        let value = mark.value(number, masquerading: masquerading)
        #expect(mark.isOurs(value))
        #expect(mark.number(value) == number)
        #expect((value & mark.masquerade != 0) == masquerading)
        values.insert(value)
      }
    }
    #expect(values.count == 10)
    for other in [0, 1, 0x4000, 0x8000, 0xab_0000, UInt32.max] as [UInt32] { #expect(!mark.isOurs(other)) }
  }
}
