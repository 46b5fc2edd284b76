/// Durations in the text form of the Kubernetes configuration files: `300ms`, `1m30s`, `-1.5h`, `0`.
package enum GoDuration {
  /// Nil for anything else and for what does not fit 63 bits of nanoseconds.
  package static func parse(_ text: String) -> Duration? {
    var rest = Substring(text).utf8
    var negative = false
    if let sign = rest.first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") {
      negative = sign == UInt8(ascii: "-")
      rest = rest.dropFirst()
    }
    if rest.elementsEqual("0".utf8) { return .zero }
    guard !rest.isEmpty else { return nil }
    var total: Int128 = 0
    while !rest.isEmpty {
      guard let number = takeNumber(&rest), let unit = takeUnit(&rest) else { return nil }
      total += number.digits * unit / number.scale
      guard total <= Int128(Int64.max) else { return nil }
    }
    return .nanoseconds(Int64(negative ? -total : total))
  }

  /// Digits with at most one point, as a whole number and the power of ten to divide it by.
  private static func takeNumber(_ rest: inout Substring.UTF8View) -> (digits: Int128, scale: Int128)? {
    var digits: Int128 = 0
    var scale: Int128 = 1
    var count = 0
    var seenPoint = false
    while let byte = rest.first {
      if byte == UInt8(ascii: "."), !seenPoint {
        seenPoint = true
      } else if (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
        count += 1
        // 18 places exceed what 63 bits hold; further places of a fraction change nothing.
        if digits < 1_000_000_000_000_000_000 {
          digits = digits * 10 + Int128(byte - UInt8(ascii: "0"))
          if seenPoint { scale *= 10 }
        } else if !seenPoint {
          return nil
        }
      } else {
        break
      }
      rest = rest.dropFirst()
    }
    return count > 0 ? (digits, scale) : nil
  }

  private static func takeUnit(_ rest: inout Substring.UTF8View) -> Int128? {
    let unit = rest.prefix { !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) && $0 != UInt8(ascii: ".") }
    rest = rest.dropFirst(unit.count)
    switch String(Substring(unit)) {
    case "ns": return 1
    case "us", "µs", "μs": return 1_000
    case "ms": return 1_000_000
    case "s": return 1_000_000_000
    case "m": return 60_000_000_000
    case "h": return 3_600_000_000_000
    default: return nil
    }
  }
}
