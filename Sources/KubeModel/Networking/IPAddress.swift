/// An IPv4 or IPv6 address as a plain value of two machine words: comparing, hashing and storing it never allocates.
///
/// An IPv4 address sits in the lowest 32 bits. An IPv4-mapped IPv6 address (`::ffff:1.2.3.4`) keeps the family it was
/// written in; manifests that use one are refused, because the two spellings would name one Service twice.
public struct IPAddress: Sendable, Hashable {
  // The words first: what is stored behind an address then takes the rest of the third word.
  /// The most significant 64 bits in host order; 0 for IPv4.
  public let high: UInt64
  /// The least significant 64 bits in host order; for IPv4 only the lowest 32 are used.
  public let low: UInt64
  public let family: IPFamily

  /// An IPv4 address from its 32 bits in host order (`0x7f000001` is 127.0.0.1).
  public init(v4 bits: UInt32) {
    family = .v4
    high = 0
    low = UInt64(bits)
  }

  /// An IPv6 address from its two halves in host order.
  public init(v6High high: UInt64, low: UInt64) {
    family = .v6
    self.high = high
    self.low = low
  }

  /// An address from 4 or 16 bytes in network order; nil for any other count.
  public init?(bytes: some Collection<UInt8>) {
    switch bytes.count {
    case 4:
      self.init(v4: bytes.reduce(0) { $0 << 8 | UInt32($1) })
    case 16:
      let high = bytes.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      let low = bytes.dropFirst(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      self.init(v6High: high, low: low)
    default:
      return nil
    }
  }

  /// The 32 bits of an IPv4 address in host order, nil for IPv6.
  public var v4Bits: UInt32? { family == .v4 ? UInt32(truncatingIfNeeded: low) : nil }

  /// 4 or 16 bytes in network order, as the kernel wants them.
  public var bytes: [UInt8] {
    switch family {
    case .v4:
      (0..<4).map { UInt8(truncatingIfNeeded: low >> UInt64(24 - $0 * 8)) }
    case .v6:
      (0..<16).map { UInt8(truncatingIfNeeded: ($0 < 8 ? high : low) >> UInt64(56 - $0 % 8 * 8)) }
    }
  }

  /// The address `offset` places further on (or back), nil when that leaves the family's range.
  public func advanced(by offset: Int64) -> IPAddress? {
    let magnitude = offset.magnitude
    switch family {
    case .v4:
      guard let next = UInt32(exactly: Int64(low) &+ offset) else { return nil }
      return IPAddress(v4: next)
    case .v6:
      let (sum, wrapped) = offset < 0 ? low.subtractingReportingOverflow(magnitude) : low.addingReportingOverflow(magnitude)
      guard wrapped else { return IPAddress(v6High: high, low: sum) }
      let (top, overflow) = offset < 0 ? high.subtractingReportingOverflow(1) : high.addingReportingOverflow(1)
      return overflow ? nil : IPAddress(v6High: top, low: sum)
    }
  }

  public var isUnspecified: Bool { high == 0 && low == 0 }

  /// 127.0.0.0/8 or ::1.
  public var isLoopback: Bool { family == .v4 ? low >> 24 == 127 : high == 0 && low == 1 }

  /// 169.254.0.0/16 or fe80::/10.
  public var isLinkLocal: Bool { family == .v4 ? low >> 16 == 0xA9FE : high >> 54 == 0xFE80 >> 6 }

  /// 224.0.0.0/4 or ff00::/8.
  public var isMulticast: Bool { family == .v4 ? low >> 28 == 0xE : high >> 56 == 0xFF }

  /// An IPv6 address of ::ffff:0:0/96, which carries an IPv4 address inside.
  public var isIPv4Mapped: Bool { family == .v6 && high == 0 && low >> 32 == 0xFFFF }
}

extension IPAddress: Comparable {
  /// IPv4 before IPv6, then by number.
  public static func < (left: IPAddress, right: IPAddress) -> Bool {
    guard left.family == right.family else { return left.family == .v4 }
    return left.high == right.high ? left.low < right.low : left.high < right.high
  }
}
