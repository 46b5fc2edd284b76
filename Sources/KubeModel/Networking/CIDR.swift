/// An address range in prefix notation. Host bits are cleared, so equal ranges compare equal.
public struct CIDR: Sendable, Hashable {
  /// The first address of the range.
  public let address: IPAddress
  /// 0…32 for IPv4, 0…128 for IPv6.
  public let prefixLength: Int

  public var family: IPFamily { address.family }

  /// Nil when `prefixLength` does not fit the family. Host bits of `address` are cleared.
  public init?(_ address: IPAddress, prefixLength: Int) {
    guard (0...address.family.bitWidth).contains(prefixLength) else { return nil }
    let (high, low) = CIDR.mask(address.family, prefixLength)
    self.address =
      address.family == .v4
      ? IPAddress(v4: UInt32(truncatingIfNeeded: address.low & low)) : IPAddress(v6High: address.high & high, low: address.low & low)
    self.prefixLength = prefixLength
  }

  /// Reads `10.0.0.0/8` or `fd00::/64`; nil for a missing, signed, zero-padded or too long prefix.
  public init?(_ text: String) {
    guard let slash = text.utf8.firstIndex(of: UInt8(ascii: "/")) else { return nil }
    let digits = text.utf8[text.utf8.index(after: slash)...]
    guard (1...3).contains(digits.count), digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
      digits.count == 1 || digits.first != UInt8(ascii: "0"),
      let address = IPAddress(String(text[..<slash]))
    else { return nil }
    self.init(address, prefixLength: digits.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) })
  }

  /// Whether `candidate` is of this family and inside the range.
  public func contains(_ candidate: IPAddress) -> Bool {
    guard candidate.family == family else { return false }
    let (high, low) = CIDR.mask(family, prefixLength)
    return candidate.high & high == address.high && candidate.low & low == address.low
  }

  /// Whether every address of `other` is inside this range.
  public func contains(_ other: CIDR) -> Bool { other.prefixLength >= prefixLength && contains(other.address) }

  /// How many addresses the range has, cut at `Int64.max` for the large IPv6 ones.
  public var count: Int64 {
    let bits = family.bitWidth - prefixLength
    return bits >= 63 ? Int64.max : 1 << Int64(bits)
  }

  /// The address at `index` (0 is the network address), nil outside the range.
  public func address(at index: Int64) -> IPAddress? {
    guard index >= 0, index < count else { return nil }
    return address.advanced(by: index)
  }

  private static func mask(_ family: IPFamily, _ length: Int) -> (high: UInt64, low: UInt64) {
    switch family {
    case .v4: (0, UInt64(UInt32.max << UInt32(32 - length)))
    case .v6: (UInt64.max << UInt64(64 - min(length, 64)), UInt64.max << UInt64(64 - max(length - 64, 0)))
    }
  }
}

extension CIDR: CustomStringConvertible, LosslessStringConvertible {
  public var description: String { "\(address)/\(prefixLength)" }
}
