import KubeModel
import ServiceProxy
import Testing

/// `--nodeport-addresses` as kube-proxy reads it.
@Suite struct NodePortAddressesTests {
  private let node = [ip("172.16.0.1"), ip("fd00:16::1"), ip("172.16.0.2")]

  private func networks(
    _ setting: [NodePortAddress], _ addresses: [IPAddress]? = nil, isPrimaryByDefault: Bool = false
  ) -> [String] {
    NodePortAddresses(setting, nodeAddresses: addresses ?? node, isPrimaryByDefault: isPrimaryByDefault).networks.map(\.description)
  }

  @Test func noSettingIsEveryAddressButInNFTablesMode() {
    #expect(networks([]).isEmpty)
    #expect(networks([], isPrimaryByDefault: true) == ["172.16.0.1/32", "fd00:16::1/128"])
  }

  @Test func primaryIsTheFirstAddressOfEachFamily() {
    #expect(networks([.primary]) == ["172.16.0.1/32", "fd00:16::1/128"])
    // As upstream, a family without such an address, or with loopback for one, is not restricted.
    #expect(networks([.primary], [ip("172.16.0.1")]) == ["172.16.0.1/32", "::/0"])
    #expect(networks([.primary], [ip("127.0.0.1"), ip("fd00:16::1")]) == ["0.0.0.0/0", "fd00:16::1/128"])
    #expect(networks([.primary], []).isEmpty)
  }

  @Test func aFamilyNoNetworkIsGivenOfIsNotRestricted() {
    #expect(networks([.range(cidr("10.0.0.0/8"))]) == ["10.0.0.0/8", "::/0"])
    #expect(networks([.range(cidr("fd00::/8"))]) == ["0.0.0.0/0", "fd00::/8"])
    #expect(networks([.range(cidr("fd00::/8")), .range(cidr("10.0.0.0/8"))]) == ["10.0.0.0/8", "fd00::/8"])
    // An explicit setting stands before the default of the mode.
    #expect(networks([.range(cidr("10.0.0.0/8"))], isPrimaryByDefault: true) == ["10.0.0.0/8", "::/0"])
  }

  @Test func everythingSwallowsTheRest() {
    #expect(networks([.range(cidr("10.0.0.0/8")), .range(cidr("0.0.0.0/0")), .range(cidr("fd00::/8"))]) == ["0.0.0.0/0", "fd00::/8"])
    #expect(networks([.range(cidr("0.0.0.0/0")), .range(cidr("::/0"))]).isEmpty)
    #expect(networks([.range(cidr("10.0.0.0/8")), .range(cidr("10.0.0.0/8"))]) == ["10.0.0.0/8", "::/0"])
  }

  @Test func loopbackIsAWarningWhereItCannotAnswer() {
    func warnings(_ range: String, servesLocalhost: Bool) -> Int {
      NodePortAddresses([.range(cidr(range))], nodeAddresses: node, servesLocalhost: servesLocalhost).warnings.count
    }
    #expect(warnings("127.0.0.0/8", servesLocalhost: false) == 1)
    #expect(warnings("127.0.0.0/8", servesLocalhost: true) == 0)
    #expect(warnings("::1/128", servesLocalhost: true) == 1)
    #expect(warnings("10.0.0.0/8", servesLocalhost: false) == 0)
  }

  @Test func addressesOfTheNodeAreFoundOnce() {
    let some = NodePortAddresses([.range(cidr("172.16.0.0/31"))], nodeAddresses: node)
    #expect(some.matching(node + node) == [ip("172.16.0.1"), ip("fd00:16::1")])
    #expect(!some.isUnrestricted(.v4) && some.isUnrestricted(.v6))
    let all = NodePortAddresses([], nodeAddresses: node)
    #expect(all.matching(node) == node && all.isUnrestricted(.v4) && all.isUnrestricted(.v6))
  }
}
