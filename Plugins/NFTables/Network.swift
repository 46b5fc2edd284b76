import PluginAPI

/// A network such as 10.0.0.0/8, of one family; what lies behind the prefix is zero.
package struct Network: Hashable, Sendable {
  package let family: Family
  package let address: Address
  /// Significant bits.
  package let prefix: Int

  /// nil when the prefix is longer than an address.
  package init?(_ address: Address, prefix: Int, _ family: Family) {
    guard (0...family.width * 8).contains(prefix) else { return nil }
    self.family = family
    self.prefix = prefix
    let mask = Network.mask(family, prefix)
    self.address = Address(high: address.high & mask.high, low: address.low & mask.low)
  }

  /// nil when the text is not a network.
  package init?(_ text: String) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2, let name = parts.first, let bits = parts.last.flatMap({ Int($0) }) else { return nil }
    let family: Family = name.contains(":") ? .ipv6 : .ipv4
    guard let address = Address(String(name), family) else { return nil }
    self.init(address, prefix: bits, family)
  }

  /// nil when the host's value is of another family or no network.
  package init?(_ raw: swl_address_t, _ family: Family) {
    guard raw.family == family.rawValue else { return nil }
    self.init(Address(raw, family), prefix: Int(raw.prefix), family)
  }

  /// The network that reaches from one address to another; nil when there is none.
  package init?(first: Address, last: Address, _ family: Family) {
    let difference = Address(high: first.high ^ last.high, low: first.low ^ last.low)
    let host = difference.high == 0 ? 64 - difference.low.leadingZeroBitCount : 128 - difference.high.leadingZeroBitCount
    self.init(first, prefix: family.width * 8 - host, family)
    if address != first || self.last != last { return nil }
  }

  package var last: Address {
    let mask = Network.mask(family, prefix)
    let all = Network.mask(family, family.width * 8)
    return Address(high: address.high | (all.high ^ mask.high), low: address.low | (all.low ^ mask.low))
  }

  package var mask: [UInt8] { Network.mask(family, prefix).network(family) }
  package var text: String { "\(address.text(family))/\(prefix)" }

  package func contains(_ other: Network) -> Bool {
    guard family == other.family, prefix <= other.prefix else { return false }
    let mask = Network.mask(family, prefix)
    return other.address.high & mask.high == address.high && other.address.low & mask.low == address.low
  }

  /// The same addresses in as few networks as it takes without joining any, sorted: the kernel refuses intervals that overlap.
  package static func disjoint(_ networks: [Network]) -> [Network] {
    var kept: [Network] = []
    for network in networks.sorted(by: { $0.prefix < $1.prefix }) where !kept.contains(where: { $0.contains(network) }) {
      kept.append(network)
    }
    return kept.sorted { ($0.address.high, $0.address.low) < ($1.address.high, $1.address.low) }
  }

  private static func mask(_ family: Family, _ prefix: Int) -> Address {
    func ones(_ count: Int, of width: UInt64) -> UInt64 { count <= 0 ? 0 : (UInt64.max << (64 - UInt64(min(count, 64)))) >> (64 - width) }
    if family == .ipv4 { return Address(low: ones(prefix, of: 32)) }
    return Address(high: ones(prefix, of: 64), low: ones(prefix - 64, of: 64))
  }
}
