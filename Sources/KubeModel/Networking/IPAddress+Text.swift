extension IPAddress {
  /// Reads the usual text forms: dotted IPv4 without leading zeros, IPv6 with `::` and an optional dotted tail.
  /// Nil for anything else: zones (`fe80::1%eth0`), brackets, ports, prefixes, and the octal-looking `010.0.0.1`
  /// that tools read in two ways.
  public init?(_ text: String) {
    var text = text
    let parsed = text.withUTF8 { IPAddressScanner(bytes: $0).address() }
    guard let parsed else { return nil }
    self = parsed
  }
}

extension IPAddress: CustomStringConvertible, LosslessStringConvertible {
  /// Dotted IPv4, or IPv6 as RFC 5952 wants it: lower case, the longest run of zero groups as `::`.
  public var description: String {
    String(unsafeUninitializedCapacity: 45) { buffer in
      var writer = IPAddressWriter(buffer: buffer)
      switch family {
      case .v4: writer.dotted(UInt32(truncatingIfNeeded: low))
      case .v6: writer.groups(of: self)
      }
      return writer.count
    }
  }
}

/// Reads an address from UTF-8 bytes without allocating.
private struct IPAddressScanner {
  let bytes: UnsafeBufferPointer<UInt8>

  func address() -> IPAddress? {
    guard !bytes.isEmpty, bytes.count <= 45 else { return nil }
    return bytes.contains(UInt8(ascii: ":")) ? v6() : dotted(from: 0).map(IPAddress.init(v4:))
  }

  /// Four decimal octets that reach from `start` to the end.
  private func dotted(from start: Int) -> UInt32? {
    var value: UInt32 = 0
    var octet: UInt32 = 0
    var digits = 0
    var dots = 0
    for byte in bytes[start...] {
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"):
        if digits > 0, octet == 0 { return nil }
        octet = octet * 10 + UInt32(byte - UInt8(ascii: "0"))
        digits += 1
        if octet > 255 { return nil }
      case UInt8(ascii: "."):
        guard digits > 0, dots < 3 else { return nil }
        value = value << 8 | octet
        octet = 0
        digits = 0
        dots += 1
      default:
        return nil
      }
    }
    return dots == 3 && digits > 0 ? value << 8 | octet : nil
  }

  private func v6() -> IPAddress? {
    var bits: UInt128 = 0
    var groups = 0
    var gapAt: Int?
    var index = 0
    if bytes[0] == UInt8(ascii: ":") {
      guard bytes.count >= 2, bytes[1] == UInt8(ascii: ":") else { return nil }
      gapAt = 0
      index = 2
    }
    while index < bytes.count {
      guard groups < 8 else { return nil }
      let start = index
      var group: UInt128 = 0
      while index < bytes.count, index - start < 5, let digit = hexDigit(bytes[index]) {
        group = group << 4 | UInt128(digit)
        index += 1
      }
      if index < bytes.count, bytes[index] == UInt8(ascii: ".") {
        guard groups <= 6, let tail = dotted(from: start) else { return nil }
        bits = bits << 32 | UInt128(tail)
        groups += 2
        index = bytes.count
        break
      }
      guard index > start, index - start <= 4 else { return nil }
      bits = bits << 16 | group
      groups += 1
      guard index < bytes.count else { break }
      guard bytes[index] == UInt8(ascii: ":"), index + 1 < bytes.count else { return nil }
      index += 1
      if bytes[index] == UInt8(ascii: ":") {
        guard gapAt == nil else { return nil }
        gapAt = groups
        index += 1
      }
    }
    guard let whole = filled(bits, groups: groups, gapAt: gapAt) else { return nil }
    return IPAddress(v6High: UInt64(truncatingIfNeeded: whole >> 64), low: UInt64(truncatingIfNeeded: whole))
  }

  /// Opens the `::` gap: the groups after it move to the low end.
  private func filled(_ bits: UInt128, groups: Int, gapAt: Int?) -> UInt128? {
    guard let gapAt else { return groups == 8 ? bits : nil }
    guard groups < 8 else { return nil }
    let tailBits = UInt128((groups - gapAt) * 16)
    let tail = tailBits == 0 ? 0 : bits & ((UInt128(1) << tailBits) - 1)
    let head = gapAt == 0 ? 0 : (bits >> tailBits) << UInt128((8 - gapAt) * 16)
    return head | tail
  }

  private func hexDigit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}

/// Writes an address as text into a buffer of at least 45 bytes.
private struct IPAddressWriter {
  let buffer: UnsafeMutableBufferPointer<UInt8>
  var count = 0

  init(buffer: UnsafeMutableBufferPointer<UInt8>) { self.buffer = buffer }

  mutating func put(_ byte: UInt8) {
    buffer[count] = byte
    count += 1
  }

  mutating func dotted(_ bits: UInt32) {
    for shift in [UInt32(24), 16, 8, 0] {
      let octet = UInt8(truncatingIfNeeded: bits >> shift)
      if octet >= 100 { put(UInt8(ascii: "0") + octet / 100) }
      if octet >= 10 { put(UInt8(ascii: "0") + octet / 10 % 10) }
      put(UInt8(ascii: "0") + octet % 10)
      if shift > 0 { put(UInt8(ascii: ".")) }
    }
  }

  mutating func groups(of address: IPAddress) {
    if address.isIPv4Mapped {
      for byte in "::ffff:".utf8 { put(byte) }
      dotted(UInt32(truncatingIfNeeded: address.low))
      return
    }
    func group(_ index: Int) -> UInt16 {
      UInt16(truncatingIfNeeded: (index < 4 ? address.high : address.low) >> UInt64(48 - index % 4 * 16))
    }
    var gap = 0..<0
    var start = 0
    while start < 8 {
      var end = start
      while end < 8, group(end) == 0 { end += 1 }
      if end - start > max(gap.count, 1) { gap = start..<end }
      start = max(end, start + 1)
    }
    var index = 0
    while index < 8 {
      if !gap.isEmpty, index == gap.lowerBound {
        put(UInt8(ascii: ":"))
        put(UInt8(ascii: ":"))
        index = gap.upperBound
        continue
      }
      if index > 0, index != gap.upperBound || gap.isEmpty { put(UInt8(ascii: ":")) }
      hex(group(index))
      index += 1
    }
  }

  private mutating func hex(_ value: UInt16) {
    var started = false
    for shift in [UInt16(12), 8, 4, 0] {
      let digit = UInt8(truncatingIfNeeded: value >> shift) & 0xF
      guard started || digit > 0 || shift == 0 else { continue }
      started = true
      put(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
    }
  }
}
