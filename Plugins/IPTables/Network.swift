import PluginAPI

/// A network as configuration names it, "10.0.0.0/8".
package struct Network: Hashable, Sendable {
  package let family: Family
  package let address: Address
  /// Significant bits.
  package let prefix: Int

  /// nil when the text is not a network; bits behind the prefix are cleared.
  package init?(_ text: String) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2, let name = parts.first, let bits = parts.last.flatMap({ Int($0) }) else { return nil }
    let family: Family = name.contains(":") ? .ipv6 : .ipv4
    guard let address = Address(String(name), family) else { return nil }
    self.init(address, bits, family)
  }

  /// A network as the host hands it over; nil when it is of another family or makes no sense.
  package init?(_ raw: swl_address_t, _ family: Family) {
    guard raw.family == family.rawValue else { return nil }
    self.init(Address(raw, family), Int(raw.prefix), family)
  }

  private init?(_ address: Address, _ bits: Int, _ family: Family) {
    guard bits >= 0, bits <= family.width * 8 else { return nil }
    self.family = family
    prefix = bits
    let cleared = address.network(family).enumerated().map { index, byte in
      let kept = min(8, max(0, bits - index * 8))
      return kept == 0 ? 0 : byte & UInt8(truncatingIfNeeded: 0xff00 >> kept)
    }
    self.address = cleared.withUnsafeBytes { Address(network: $0, family) }
  }

  /// As iptables-save prints it.
  package var text: String { "\(address.text(family))/\(prefix)" }
}
