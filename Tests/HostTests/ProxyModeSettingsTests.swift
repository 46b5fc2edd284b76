import ArgumentParser
import KubeModel
import ServiceProxy
import Testing
import swiftlet

/// What the settings mean once a mode is chosen.
struct ProxyModeSettingsTests {
  private func settings(_ fields: String) throws -> Settings {
    let directory = try TemporaryDirectory()
    let text = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n\(fields)"
    return try SettingsOptions.parse(["--config", try directory.write("proxy.yaml", text)]).settings().settings
  }

  private static let iptables = "iptables: {masqueradeAll: true, masqueradeBit: 20, syncPeriod: 50s}\n"

  @Test func aSectionForIptablesCountsWhereNoModeIsGivenAndNftablesIsChosen() throws {
    let settings = try settings("mode: \"\"\n\(Self.iptables)").running("nftables")
    #expect(settings.proxyPairs(nodeAddresses: [])["masquerade-bit"] == "20")
    #expect(settings.nodeView(name: "n", addresses: []).masqueradeAll && settings.proxySyncPeriod == .seconds(50))
  }

  @Test func aSectionForNftablesGoesBeforeThatOfIptables() throws {
    let settings = try settings("\(Self.iptables)nftables: {masqueradeBit: 21, syncPeriod: 70s}\n").running("nftables")
    #expect(settings.proxyPairs(nodeAddresses: [])["masquerade-bit"] == "21" && settings.proxySyncPeriod == .seconds(70))
  }

  @Test func aSectionForIptablesDoesNotCountWhereNftablesIsNamed() throws {
    let settings = try settings("mode: nftables\n\(Self.iptables)").running("nftables")
    #expect(settings.proxyPairs(nodeAddresses: [])["masquerade-bit"] == nil)
    #expect(!settings.nodeView(name: "n", addresses: []).masqueradeAll && settings.proxySyncPeriod == .seconds(30))
  }

  @Test func everythingFollowsTheModeThatAutoCameTo() throws {
    let open = try settings("nftables: {masqueradeBit: 21, syncPeriod: 70s}\n\(Self.iptables)")
    let settings = open.running("iptables")
    let pairs = settings.proxyPairs(nodeAddresses: [ip("192.0.2.1")])
    #expect(pairs["masquerade-bit"] == "20" && pairs["localhost-nodeports"] == "true" && pairs["nodeport-cidrs"] == nil)
    #expect(settings.servesLocalhostNodePorts && settings.proxySyncPeriod == .seconds(50))
    #expect(!open.servesLocalhostNodePorts && open.proxyPairs(nodeAddresses: [])["localhost-nodeports"] == nil)
  }

  @Test func whatNftablesDoesOtherwiseThanAConfigurationWithoutAModeMeantIsSaid() throws {
    let warnings = try settings("mode: \"\"\n").running("nftables").proxyWarnings(nodeAddresses: [])
    #expect(warnings.count == 1 && warnings[0].contains("primary addresses") && warnings[0].contains("127.0.0.1"))
    #expect(try settings("mode: \"\"\n").running("iptables").proxyWarnings(nodeAddresses: []) == [])
    #expect(try settings("mode: nftables\n").running("nftables").proxyWarnings(nodeAddresses: []) == [])
    #expect(Settings().running("nftables").proxyWarnings(nodeAddresses: []) == [])
  }

  @Test func aLiberalConntrackDropsNothingAsInvalid() throws {
    #expect(Settings().proxyPairs(nodeAddresses: [], isConntrackLiberal: true)["drop-invalid"] == "false")
    #expect(Settings().proxyPairs(nodeAddresses: [], isConntrackLiberal: false)["drop-invalid"] == nil)
    #expect(try settings("conntrack: {tcpBeLiberal: true}\n").proxyPairs(nodeAddresses: [])["drop-invalid"] == "false")
  }

  @Test func nftablesDropsWhatIsInvalidOnlyWhereTheKernelTakesLateSegmentsForIt() throws {
    func drops(_ mode: String, _ takesDelayed: Bool) -> Bool {
      Settings().running(mode).proxyPairs(nodeAddresses: [], takesDelayedSegments: takesDelayed)["drop-invalid"] != "false"
    }
    #expect(drops("nftables", false) && !drops("nftables", true))
    #expect(drops("iptables", true) && drops("ipvs", true))
  }
}
