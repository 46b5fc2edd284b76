import Glibc
import PluginAPI

/// An IP family. Sets, rules and virtual servers exist once for each.
package enum Family: UInt8, Sendable, CaseIterable, Hashable, Comparable {
  case ipv4 = 4
  case ipv6 = 6

  /// Bytes of an address.
  package var width: Int { self == .ipv4 ? 4 : 16 }
  /// As the kernel numbers it.
  package var number: Int32 { self == .ipv4 ? AF_INET : AF_INET6 }
  /// As `ipset` names it.
  package var setName: String { self == .ipv4 ? "inet" : "inet6" }

  package init?(kernel number: Int32) {
    switch number {
    case AF_INET: self = .ipv4
    case AF_INET6: self = .ipv6
    default: return nil
    }
  }

  package static func < (left: Family, right: Family) -> Bool { left.rawValue < right.rawValue }
}

/// An internet address of either family as two host-order halves, so that it is small, hashable and free of allocations. An
/// IPv4 address is in the low 32 bits.
package struct Address: Hashable, Sendable, Comparable {
  package let family: Family
  package private(set) var high: UInt64 = 0
  package private(set) var low: UInt64 = 0

  /// Reads network order bytes; what is missing reads as zero.
  package init(network bytes: some Sequence<UInt8>, _ family: Family) {
    self.family = family
    for byte in bytes.prefix(family.width) {
      high = high << 8 | low >> 56
      low = low << 8 | UInt64(byte)
    }
  }

  package init(_ raw: swl_address_t, _ family: Family) {
    self = withUnsafeBytes(of: raw.bytes) { Address(network: $0, family) }
  }

  /// nil when the text is no address.
  package init?(_ text: some StringProtocol) {
    let family: Family = text.contains(":") ? .ipv6 : .ipv4
    var bytes = in6_addr()
    guard inet_pton(family.number, String(text), &bytes) == 1 else { return nil }
    self = withUnsafeBytes(of: bytes) { Address(network: $0, family) }
  }

  /// Network order bytes, as many as the family has.
  package var network: [UInt8] {
    let halves = family == .ipv4 ? [low] : [high, low]
    let width = family == .ipv4 ? 4 : 8
    return halves.flatMap { half in (0..<width).map { UInt8(truncatingIfNeeded: half >> (8 * (width - 1 - $0))) } }
  }

  /// Addresses are hashed some dozen times each in a full load, and the family follows from the rest but for a few.
  package func hash(into hasher: inout Hasher) {
    hasher.combine(low)
    if high != 0 { hasher.combine(high) }
  }

  package var isZero: Bool { high == 0 && low == 0 }
  /// 127.0.0.0/8, ::1.
  package var isLoopback: Bool { family == .ipv4 ? low >> 24 == 127 : high == 0 && low == 1 }
  /// fe80::/10: means another address on each link.
  package var isLinkLocal: Bool { family == .ipv6 && high >> 54 == 0xfe80 >> 6 }

  package var text: String {
    var buffer = [CChar](repeating: 0, count: 64)
    guard inet_ntop(family.number, network, &buffer, socklen_t(buffer.count)) != nil else { return "?" }
    return String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  /// With a port, as `ipvsadm` writes it.
  package func text(port: UInt16) -> String { family == .ipv4 ? "\(text):\(port)" : "[\(text)]:\(port)" }

  package static func < (left: Address, right: Address) -> Bool {
    (left.family, left.high, left.low) < (right.family, right.high, right.low)
  }
}

/// A network as configuration names it, "10.0.0.0/8".
package struct Network: Hashable, Sendable {
  package let address: Address
  /// Significant bits.
  package let prefix: Int

  package var family: Family { address.family }
  package var text: String { "\(address.text)/\(prefix)" }

  /// Bits behind the prefix are cleared.
  package init(_ address: Address, prefix: Int) {
    self.prefix = min(max(prefix, 0), address.family.width * 8)
    self.address = Network.cut(address, self.prefix)
  }

  /// nil when the text is not a network.
  package init?(_ text: some StringProtocol) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2, let address = parts.first.flatMap({ Address($0) }), let bits = parts.last.flatMap({ Int($0) }),
      (0...(address.family.width * 8)).contains(bits)
    else { return nil }
    self.init(address, prefix: bits)
  }

  package func contains(_ other: Address) -> Bool { other.family == family && Network.cut(other, prefix) == address }

  /// The same network without a prefix of length 0, which the kernel's sets of networks cannot hold.
  package var settable: [Network] {
    guard prefix == 0 else { return [self] }
    let upper = Address(network: [0x80] + [UInt8](repeating: 0, count: 15), family)
    return [Network(address, prefix: 1), Network(upper, prefix: 1)]
  }

  private static func cut(_ address: Address, _ prefix: Int) -> Address {
    Address(
      network: address.network.enumerated().map { place, byte in
        let bits = min(8, max(0, prefix - place * 8))
        return byte & UInt8(truncatingIfNeeded: 0xff00 >> bits)
      }, address.family)
  }
}
