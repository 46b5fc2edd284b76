import ArgumentParser
import KubeModel
import ServiceProxy
import Testing
import swiftlet

/// Where node ports answer, by mode and setting.
struct NodePortSettingsTests {
  private static let addresses = ["192.0.2.1", "192.0.2.9", "2001:db8::1"].compactMap { IPAddress($0) }

  private func settings(_ arguments: String...) throws -> Settings { try SettingsOptions.parse(arguments).settings().settings }

  private func networks(_ settings: Settings) -> String? { settings.proxyPairs(nodeAddresses: Self.addresses)["nodeport-cidrs"] }

  @Test(arguments: ["127.0.0.0/8", "127.0.0.1/32", "0.0.0.0/0", "10.0.0.0/8,127.0.0.1/32", "2001:db8::/32", "64.0.0.0/2"])
  func networksAroundLoopbackLeaveNodePortsOnLocalhost(_ list: String) throws {
    let settings = try settings("--proxy-mode", "iptables", "--nodeport-addresses", list)
    #expect(settings.proxyPairs(nodeAddresses: [])["localhost-nodeports"] == "true")
    #expect(settings.servesLocalhostNodePorts)
  }

  /// Neither the rules nor `route_localnet`, which lets others reach what listens on loopback.
  @Test(arguments: ["10.0.0.0/8", "10.0.0.0/8,::1/128", "primary", "128.0.0.0/1"])
  func networksWithoutLoopbackTakeNodePortsOffLocalhost(_ list: String) throws {
    let settings = try settings("--proxy-mode", "iptables", "--nodeport-addresses", list)
    #expect(settings.proxyPairs(nodeAddresses: Self.addresses)["localhost-nodeports"] == nil)
    #expect(!settings.servesLocalhostNodePorts)
  }

  @Test func nftablesModeTakesThePrimaryAddressesByDefaultHoweverItWasChosen() throws {
    let primary = "192.0.2.1/32,2001:db8::1/128"
    for mode in ["nftables", "auto", "", "/opt/libswiftlet_nftables.so"] {
      #expect(networks(try settings("--proxy-mode", mode)) == primary, "\(mode)")
    }
    #expect(networks(try settings().running("nftables")) == primary)
  }

  @Test func otherModesAnswerEverywhereByDefault() throws {
    for mode in ["iptables", "ipvs"] {
      #expect(networks(try settings("--proxy-mode", mode)) == nil, "\(mode)")
      #expect(networks(try settings().running(mode)) == nil, "\(mode)")
    }
  }

  @Test func allAddressesCanBeAskedFor() throws {
    let settings = try settings("--proxy-mode", "nftables", "--nodeport-addresses", "0.0.0.0/0,::/0")
    #expect(networks(settings) == nil && !settings.usesPrimaryNodePorts)
  }

  @Test func bindAddressIsThePrimaryAddressOfItsFamily() throws {
    #expect(networks(try settings("--proxy-mode", "nftables", "--bind-address", "192.0.2.9")) == "192.0.2.9/32,2001:db8::1/128")
    // The wildcards every installer writes say nothing.
    #expect(networks(try settings("--proxy-mode", "nftables", "--bind-address", "0.0.0.0")) == "192.0.2.1/32,2001:db8::1/128")
    let view = try settings("--bind-address", "192.0.2.9").nodeView(name: "n", addresses: Self.addresses)
    #expect(view.addresses.map(\.description) == ["192.0.2.9", "192.0.2.1", "2001:db8::1"])
    #expect(throws: SettingsProblem.self) { try settings("--bind-address", "here") }
  }
}
