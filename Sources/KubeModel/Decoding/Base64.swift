/// The standard base64 alphabet with padding, as JSON carries bytes.
enum Base64 {
  /// Nil for anything that is not complete base64. Line breaks are skipped, as the API server skips them.
  static func decode(_ text: String) -> [UInt8]? {
    var output: [UInt8] = []
    output.reserveCapacity(text.utf8.count / 4 * 3)
    var bits: UInt32 = 0
    var count = 0
    var padding = 0
    for byte in text.utf8 {
      if byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") { continue }
      if byte == UInt8(ascii: "=") {
        padding += 1
        bits <<= 6
      } else {
        guard padding == 0, let digit = digit(byte) else { return nil }
        bits = bits << 6 | UInt32(digit)
      }
      count += 1
      if count % 4 == 0 {
        guard padding <= 2 else { return nil }
        for place in 0..<(3 - padding) { output.append(UInt8(truncatingIfNeeded: bits >> UInt32(16 - place * 8))) }
        bits = 0
      }
    }
    return count % 4 == 0 ? output : nil
  }

  private static func digit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): byte - UInt8(ascii: "A")
    case UInt8(ascii: "a")...UInt8(ascii: "z"): byte - UInt8(ascii: "a") + 26
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0") + 52
    case UInt8(ascii: "+"): 62
    case UInt8(ascii: "/"): 63
    default: nil
    }
  }
}
