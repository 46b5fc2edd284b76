extension Quantity {
  /// Reads a quantity as the API does: an optional sign, digits with at most one point, then one suffix
  /// (`n u m k M G T P E`, `Ki Mi Gi Ti Pi Ei`, or a decimal exponent). Nil for anything else.
  public init?(_ text: String) {
    var text = text
    let parsed = text.withUTF8 { QuantityScanner(bytes: $0).quantity() }
    guard let parsed else { return nil }
    self = parsed
  }
}

extension Quantity: CustomStringConvertible, LosslessStringConvertible {
  /// The canonical form: no fraction, the largest suffix that leaves none.
  public var description: String {
    if nanos == 0 { return "0" }
    switch format {
    case .binarySI:
      let (whole, fraction) = nanos.quotientAndRemainder(dividingBy: Quantity.unit)
      guard fraction == 0, whole.magnitude >= 1024 else { return decimal(["n", "u", "m", "", "k", "M", "G", "T", "P", "E"]) }
      var rest = whole
      var power = 0
      while power < 6, rest % 1024 == 0 {
        rest /= 1024
        power += 1
      }
      return "\(rest)" + ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"][power]
    case .decimalSI:
      return decimal(["n", "u", "m", "", "k", "M", "G", "T", "P", "E"])
    case .decimalExponent:
      return decimal(["e-9", "e-6", "e-3", "", "e3", "e6", "e9", "e12", "e15", "e18"])
    }
  }

  private func decimal(_ suffixes: [String]) -> String {
    var rest = nanos
    var step = 0
    while step < suffixes.count - 1, rest % 1000 == 0 {
      rest /= 1000
      step += 1
    }
    return "\(rest)" + suffixes[step]
  }
}

/// Reads a quantity from UTF-8 bytes.
private struct QuantityScanner {
  let bytes: UnsafeBufferPointer<UInt8>

  /// Digits beyond this many (leading zeros aside) cannot change the result: it is cut at 2⁶³ or rounded up by then.
  private static let exactDigits = 27

  func quantity() -> Quantity? {
    var index = 0
    var negative = false
    if let first = bytes.first, first == UInt8(ascii: "-") || first == UInt8(ascii: "+") {
      negative = first == UInt8(ascii: "-")
      index = 1
    }
    var mantissa: UInt128 = 0
    var exponent = 0
    var digits = 0
    var significant = 0
    var inexact = false
    var seenPoint = false
    while index < bytes.count {
      let byte = bytes[index]
      if byte == UInt8(ascii: "."), !seenPoint {
        seenPoint = true
      } else if let digit = decimalDigit(byte) {
        digits += 1
        if significant < QuantityScanner.exactDigits {
          mantissa = mantissa * 10 + UInt128(digit)
          if mantissa > 0 { significant += 1 }
          if seenPoint { exponent -= 1 }
        } else {
          inexact = inexact || digit != 0
          if !seenPoint { exponent += 1 }
        }
      } else {
        break
      }
      index += 1
    }
    guard digits > 0, let suffix = suffix(from: index) else { return nil }
    let magnitude = nanos(mantissa, decimalExponent: exponent + suffix.decimal, binaryExponent: suffix.binary, inexact: inexact)
    return Quantity(nanos: negative ? -magnitude : magnitude, format: suffix.format)
  }

  private struct Suffix {
    var decimal = 0
    var binary = 0
    var format = Quantity.Format.decimalSI
  }

  private func suffix(from start: Int) -> Suffix? {
    let rest = bytes[start...]
    guard let first = rest.first else { return Suffix() }
    if rest.count == 2, rest.last == UInt8(ascii: "i") {
      guard let power = "KMGTPE".utf8.firstIndex(of: first) else { return nil }
      let step = "KMGTPE".utf8.distance(from: "KMGTPE".utf8.startIndex, to: power) + 1
      return Suffix(binary: step * 10, format: .binarySI)
    }
    if first == UInt8(ascii: "e") || first == UInt8(ascii: "E"), rest.count > 1 { return exponent(from: start + 1) }
    guard rest.count == 1 else { return nil }
    switch first {
    case UInt8(ascii: "n"): return Suffix(decimal: -9)
    case UInt8(ascii: "u"): return Suffix(decimal: -6)
    case UInt8(ascii: "m"): return Suffix(decimal: -3)
    case UInt8(ascii: "k"): return Suffix(decimal: 3)
    case UInt8(ascii: "M"): return Suffix(decimal: 6)
    case UInt8(ascii: "G"): return Suffix(decimal: 9)
    case UInt8(ascii: "T"): return Suffix(decimal: 12)
    case UInt8(ascii: "P"): return Suffix(decimal: 15)
    case UInt8(ascii: "E"): return Suffix(decimal: 18)
    default: return nil
    }
  }

  private func exponent(from start: Int) -> Suffix? {
    var index = start
    let negative = bytes[index] == UInt8(ascii: "-")
    if negative || bytes[index] == UInt8(ascii: "+") { index += 1 }
    guard index < bytes.count else { return nil }
    var value = 0
    for byte in bytes[index...] {
      guard let digit = decimalDigit(byte) else { return nil }
      value = min(value * 10 + Int(digit), 100_000)
    }
    return Suffix(decimal: negative ? -value : value, format: .decimalExponent)
  }

  /// mantissa × 10^decimal × 2^binary in 10⁻⁹ units, rounded up and cut at the limit.
  private func nanos(_ mantissa: UInt128, decimalExponent: Int, binaryExponent: Int, inexact: Bool) -> Int128 {
    if mantissa == 0 { return inexact ? 1 : 0 }
    let limit = UInt128(Quantity.limit)
    var value = mantissa
    var exponent = decimalExponent + 9
    var roundUp = inexact
    for _ in 0..<binaryExponent {
      // Doubling and dividing by ten alternate so that neither digits nor range are lost.
      if value > UInt128.max / 2 {
        guard exponent < 0 else { return Quantity.limit }
        roundUp = roundUp || value % 10 != 0
        value /= 10
        exponent += 1
      }
      value *= 2
    }
    while exponent < 0 {
      roundUp = roundUp || value % 10 != 0
      value /= 10
      exponent += 1
      if value == 0 { break }
    }
    while exponent > 0 {
      if value > limit { return Quantity.limit }
      value *= 10
      exponent -= 1
    }
    if roundUp { value += 1 }
    return Int128(min(value, limit))
  }

  private func decimalDigit(_ byte: UInt8) -> UInt8? {
    let digit = byte &- UInt8(ascii: "0")
    return digit < 10 ? digit : nil
  }
}
