import NFTables
import Testing

struct EncodingTests {
  /// Kernels of before mid-2025 with AVX2 get wider ones wrong.
  @Test func noFieldOfASetOfIntervalsIsWiderThanAWord() {
    for map in MapKind.allCases where map.isInterval {
      for family in Family.allCases {
        let fields = map.key.flatMap { $0.fields(family) }
        #expect(fields.allSatisfy { $0 <= 4 }, "\(family.name) \(map.name)")
        // None is lost: each takes one word of the key.
        #expect(fields.count * 4 == map.key.width(family), "\(family.name) \(map.name)")
      }
    }
  }

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
    var all: [ServiceClass] = []
    for count in [1, 2, 3, 1000, ServiceClass.maximumEndpoints] {
      for masquerade in ServiceClass.Masquerade.allCases {
        for (restricted, affinity) in [(false, false), (false, true), (true, false), (true, true)] {
          let plain = ServiceClass(endpoints: count, masquerade: masquerade, restricted: restricted, affinity: affinity)
          #expect(plain.endpoints == UInt32(count))
          #expect(plain.masquerade == masquerade)
          all.append(plain)
          for local in [0, 1, ServiceClass.maximumLocalEndpoints] {
            for drops in local == 0 ? [false, true] : [false] {
              let near = ServiceClass(
                endpoints: count, local: local, masquerade: masquerade, restricted: restricted, affinity: affinity, drops: drops)
              #expect(near.localEndpoints == UInt32(local))
              #expect(near.refusals.contains(.noEndpoint) == (local == 0))
              all.append(near)
            }
          }
        }
      }
    }
    for selection in AffinitySlot.Selection.allCases {
      for number in [0, 1, AffinitySlot.maximumEndpoints - 1] {
        for seconds in [1, 10800, AffinitySlot.maximumSeconds] {
          let slot = AffinitySlot(seconds: seconds, selection, number: number)
          #expect((slot.seconds, slot.selection, slot.number) == (seconds, selection, number))
          all.append(ServiceClass(slot))
        }
      }
    }
    for serviceClass in all {
      #expect(serviceClass.isKnown)
      #expect(seen.insert(serviceClass.rawValue).inserted)
      for isNodePort in [false, true] {
        for chain in ClassReference(serviceClass, isNodePort: isNodePort).chains { #expect(chains.insert(chain).inserted) }
      }
    }
  }

  @Test func frontEndsServedAlikeAreOfOneClass() {
    #expect(ServiceClass(endpoints: 0, masquerade: .always, affinity: true) == .refuse)
    #expect(ServiceClass(endpoints: 0, local: 0, masquerade: .always) == .refuse)
    #expect(ServiceClass(endpoints: 2, masquerade: .hairpin, drops: true) == ServiceClass(endpoints: 2, masquerade: .hairpin))
    #expect(!ServiceClass(rawValue: ServiceClass.refuse.rawValue | 3 << 25).isKnown)
    #expect(!ServiceClass(rawValue: 1 << 31).isKnown)
    #expect(ServiceClass(endpoints: 0, local: 0, masquerade: .hairpin, drops: true).isEmpty)
  }

  @Test(arguments: [
    (["10.0.0.0/8", "10.1.0.0/16", "10.0.0.0/8"], ["10.0.0.0/8"]),
    (["192.0.2.0/25", "192.0.2.128/25"], ["192.0.2.0/25", "192.0.2.128/25"]),
    (["fd00:1::/32", "fd00::/16", "2001:db8::/32"], ["2001:db8::/32", "fd00::/16"]), ([], []),
  ])
  func networksInsideOfOthersAreDropped(_ networks: [String], _ kept: [String]) {
    #expect(Network.disjoint(networks.compactMap { Network($0) }).map(\.text) == kept)
  }

  @Test(arguments: [
    "10.0.0.0/8", "0.0.0.0/0", "192.0.2.1/32", "fd00::/16", "::/0", "fd00::1/128", "fd00:0:0:1::/64",
    "fd00::8000:0:0:0/65",
  ])
  func aNetworkIsFoundAgainByItsEnds(_ text: String) throws {
    let network = try #require(Network(text))
    #expect(network.text == text)
    #expect(Network(first: network.address, last: network.last, network.family) == network)
    if network.prefix > 0 { #expect(Network(first: network.address, last: Address(), network.family) == nil) }
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
