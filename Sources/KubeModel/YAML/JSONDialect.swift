/// Makes a JSON document readable for a YAML 1.1 scanner, which trips over a few things JSON allows: surrogate pairs as
/// two `\u` escapes, a raw DEL or C1 control character, raw line separators that YAML would fold, and tabs around the value.
struct JSONDialect {
  /// The bytes from the opening to the last brace or bracket; nil where the piece does not start like JSON.
  /// Cutting the white space around the value off is enough for tabs: inside brackets YAML allows them.
  static func body(of bytes: UnsafeBufferPointer<UInt8>) -> Range<Int>? {
    guard let first = bytes.firstIndex(where: { !isBlank($0) }), let last = bytes.lastIndex(where: { !isBlank($0) }) else { return nil }
    guard bytes[first] == UInt8(ascii: "{") || bytes[first] == UInt8(ascii: "["), bytes[last] == bytes[first] + 2 else { return nil }
    return first..<last + 1
  }

  /// A rewritten copy, or nil where nothing needs it (the usual case, found without a copy) or the text is not JSON.
  static func rewritten(_ bytes: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
    guard needsRewriting(bytes) else { return nil }
    var output: [UInt8] = []
    output.reserveCapacity(bytes.count + 64)
    var index = 0
    var inString = false
    while index < bytes.count {
      let byte = bytes[index]
      if !inString {
        // Neither occurs between JSON tokens: this is YAML in flow style, which means what it says.
        if byte == UInt8(ascii: "'") || byte == UInt8(ascii: "#") { return nil }
        inString = byte == UInt8(ascii: "\"")
        output.append(byte)
        index += 1
      } else if byte == UInt8(ascii: "\\") {
        index += escape(in: bytes, at: index, to: &output)
      } else if let (scalar, length) = awkwardCharacter(in: bytes, at: index) {
        output.append(contentsOf: escaped(scalar))
        index += length
      } else {
        inString = byte != UInt8(ascii: "\"")
        output.append(byte)
        index += 1
      }
    }
    return output
  }

  private static func needsRewriting(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
    for index in bytes.indices {
      switch bytes[index] {
      case UInt8(ascii: "\\"):
        if let unit = unicodeEscape(in: bytes, at: index), UTF16.isLeadSurrogate(unit) { return true }
      case 0x7F, 0xC2, 0xE2:
        if awkwardCharacter(in: bytes, at: index) != nil { return true }
      default:
        continue
      }
    }
    return false
  }

  /// Copies one escape, joining a surrogate pair to the character it means; answers how many bytes were consumed.
  private static func escape(in bytes: UnsafeBufferPointer<UInt8>, at index: Int, to output: inout [UInt8]) -> Int {
    if let lead = unicodeEscape(in: bytes, at: index), UTF16.isLeadSurrogate(lead),
      let trail = unicodeEscape(in: bytes, at: index + 6), UTF16.isTrailSurrogate(trail)
    {
      output.append(contentsOf: String(decoding: [lead, trail], as: UTF16.self).utf8)
      return 12
    }
    output.append(bytes[index])
    guard index + 1 < bytes.count else { return 1 }
    output.append(bytes[index + 1])
    return 2
  }

  private static func unicodeEscape(in bytes: UnsafeBufferPointer<UInt8>, at index: Int) -> UInt16? {
    guard index + 6 <= bytes.count, bytes[index] == UInt8(ascii: "\\"), bytes[index + 1] == UInt8(ascii: "u") else { return nil }
    var value: UInt16 = 0
    for byte in bytes[index + 2..<index + 6] {
      guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { return nil }
      value = value << 4 | UInt16(digit)
    }
    return value
  }

  /// DEL, C1 controls (NEL among them) and the Unicode line and paragraph separators, with their length in UTF-8.
  private static func awkwardCharacter(in bytes: UnsafeBufferPointer<UInt8>, at index: Int) -> (scalar: UInt16, length: Int)? {
    switch bytes[index] {
    case 0x7F:
      return (0x7F, 1)
    case 0xC2 where index + 1 < bytes.count && (0x80...0x9F).contains(bytes[index + 1]):
      return (UInt16(bytes[index + 1]), 2)
    case 0xE2 where index + 2 < bytes.count && bytes[index + 1] == 0x80 && (0xA8...0xA9).contains(bytes[index + 2]):
      return (0x2000 | UInt16(bytes[index + 2] & 0x3F), 3)
    default:
      return nil
    }
  }

  private static func escaped(_ scalar: UInt16) -> String.UTF8View {
    let digits = String(scalar, radix: 16)
    return ("\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits).utf8
  }

  private static func isBlank(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") || byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r")
  }
}
