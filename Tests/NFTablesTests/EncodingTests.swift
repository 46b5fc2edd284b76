import NFTables
import Testing

struct EncodingTests {
  @Test(arguments: [
    ("10.0.0.0/8", "10.0.0.0", [255, 0, 0, 0]), ("10.1.2.3/17", "10.1.0.0", [255, 255, 128, 0]), ("0.0.0.0/0", "0.0.0.0", [0, 0, 0, 0]),
    ("192.0.2.1/32", "192.0.2.1", [255, 255, 255, 255]),
  ])
  func networksAreCutAtTheirPrefix(_ text: String, _ address: String, _ mask: [UInt8]) throws {
    let network = try #require(Network(text))
    #expect(network.address.text(.ipv4) == address)
    #expect(network.mask == mask)
  }

  @Test(arguments: [
    "", "10.0.0.0", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0/8", "fd00::/129", "fd00::g/64", "/8", "10.0.0.0/8/8", "10.0.0.0/x",
  ])
  func whatIsNoNetworkIsRefused(_ text: String) { #expect(Network(text) == nil) }

  @Test(arguments: [
    ("10.96.0.1", Family.ipv4), ("255.255.255.255", .ipv4), ("fd00:96::1", .ipv6), ("ffff:1:2:3:4:5:6:7", .ipv6), ("::", .ipv6),
  ])
  func addressesSurviveTheWayThroughBytes(_ text: String, _ family: Family) throws {
    let address = try #require(Address(text, family))
    #expect(address.text(family) == text)
    #expect(address.network(family).withUnsafeBytes { Address(network: $0, family) } == address)
  }

  @Test func classesHaveTheirOwnChainsAndValues() {
    var seen: Set<UInt32> = [ServiceClass.refuse.rawValue, ServiceClass.discard.rawValue]
    var chains: Set<String> = []
    for count in [1, 2, 3, 1000, ServiceClass.maximumEndpoints] {
      for masquerade in ServiceClass.Masquerade.allCases {
        let serviceClass = ServiceClass(endpoints: count, masquerade: masquerade)
        #expect(serviceClass.isKnown)
        #expect(serviceClass.endpoints == UInt32(count))
        #expect(seen.insert(serviceClass.rawValue).inserted)
        for isNodePort in [false, true] { #expect(chains.insert(ClassReference(serviceClass, isNodePort: isNodePort).chain).inserted) }
      }
    }
  }

  @Test func aRulesFingerprintIsThatOfItsContent() throws {
    let rule = Rule("comment", [.meta(.mark, to: Register(0))])
    #expect(rule.fingerprint == Rule("comment", [.meta(.mark, to: Register(0))]).fingerprint)
    #expect(rule.fingerprint != Rule("comment", [.meta(.mark, to: Register(1))]).fingerprint)
    #expect(rule.fingerprint != Rule("Comment", [.meta(.mark, to: Register(0))]).fingerprint)
    let bits = try [0, 14].map { Layout(family: .ipv4, settings: try Settings(["masquerade-bit": "\($0)"])) }
    #expect(bits[0].baseChains.map(\.rules) != bits[1].baseChains.map(\.rules))
  }
}
