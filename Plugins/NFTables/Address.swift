import Glibc
import PluginAPI

/// An IP family; each has a table of its own.
package enum Family: UInt8, Sendable, CaseIterable, Hashable {
  case ipv4 = 4
  case ipv6 = 6

  package var other: Family { self == .ipv4 ? .ipv6 : .ipv4 }
  /// Bytes of an address.
  package var width: Int { self == .ipv4 ? 4 : 16 }
  /// Number of an address's 32-bit registers.
  package var words: Int { width / 4 }
  /// As `nft` names it.
  package var name: String { self == .ipv4 ? "ip" : "ip6" }
  /// The kernel's NFPROTO_ number.
  package var number: UInt16 { self == .ipv4 ? 2 : 10 }

  package init?(kernel number: UInt8) {
    switch number {
    case 2: self = .ipv4
    case 10: self = .ipv6
    default: return nil
    }
  }
}

/// An internet address as two host-order halves, so that it is small, hashable and free of allocations. An IPv4 address is
/// in the low 32 bits; which family it is, the owner knows.
package struct Address: Hashable, Sendable {
  package var high: UInt64 = 0
  package var low: UInt64 = 0

  package init(high: UInt64 = 0, low: UInt64 = 0) {
    self.high = high
    self.low = low
  }

  package init(_ raw: swl_address_t, _ family: Family) {
    self = withUnsafeBytes(of: raw.bytes) { Address(network: $0, family) }
  }

  /// Reads network order bytes; what is missing reads as zero.
  package init(network bytes: UnsafeRawBufferPointer, _ family: Family) {
    for byte in bytes.prefix(family.width) {
      high = high << 8 | low >> 56
      low = low << 8 | UInt64(byte)
    }
  }

  /// nil when the text is not an address of that family.
  package init?(_ text: String, _ family: Family) {
    var bytes = in6_addr()
    guard inet_pton(family == .ipv4 ? AF_INET : AF_INET6, text, &bytes) == 1 else { return nil }
    self = withUnsafeBytes(of: bytes) { Address(network: $0, family) }
  }

  /// Network order bytes, as many as the family has.
  package func network(_ family: Family) -> [UInt8] {
    let all =
      (0..<8).map { UInt8(truncatingIfNeeded: high >> (56 - 8 * $0)) } + (0..<8).map { UInt8(truncatingIfNeeded: low >> (56 - 8 * $0)) }
    return Array(all.suffix(family.width))
  }

  package func text(_ family: Family) -> String {
    let bytes = network(family)
    var buffer = [CChar](repeating: 0, count: 64)
    guard inet_ntop(family == .ipv4 ? AF_INET : AF_INET6, bytes, &buffer, socklen_t(buffer.count)) != nil else { return "?" }
    return String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
}
