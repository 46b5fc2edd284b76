import PluginKit

/// How the kernel writes numbers and lists into control files.
package enum ControlText {
  /// The file as text without the newline at its end.
  package static func text(_ bytes: [UInt8]) -> String {
    var end = bytes.endIndex
    while end > bytes.startIndex, isSpace(bytes[end - 1]) { end -= 1 }
    return String(decoding: bytes[..<end], as: UTF8.self)
  }

  /// A single number; "max" and the numbers v1 uses for it are `CgroupResources.unlimited`. `nil`: neither.
  ///
  /// v1 rounds its largest number down to a page: with 64 KiB pages everything from there counts as no limit. Its CPU
  /// quota says -1.
  package static func number(_ bytes: some Collection<UInt8>) -> UInt64? {
    let text = bytes.drop(while: isSpace)
    var value: UInt64 = 0
    var digits = 0
    var rest = text
    while let byte = rest.first, byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") {
      let (product, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, carry) = product.addingReportingOverflow(UInt64(byte - UInt8(ascii: "0")))
      if overflow || carry { return nil }
      value = sum
      digits += 1
      rest = rest.dropFirst()
    }
    if digits > 0 { return rest.allSatisfy(isSpace) ? value : nil }
    let word = text.prefix { !isSpace($0) }
    guard text.dropFirst(word.count).allSatisfy(isSpace) else { return nil }
    return word.elementsEqual("max".utf8) || word.elementsEqual("-1".utf8) ? CgroupResources.unlimited : nil
  }

  /// Limits as v1 writes them: numbers from the largest one rounded down to a 64 KiB page mean "none".
  package static func limit(_ value: UInt64) -> UInt64 {
    value >= UInt64(Int64.max) & ~0xFFFF ? CgroupResources.unlimited : value
  }

  /// The number behind `key` in a file of "key number" lines. `nil`: no such key, or what follows is no number.
  package static func value(of key: String, in bytes: [UInt8]) -> UInt64? {
    line(of: key, in: bytes).flatMap { number($0.dropFirst(key.utf8.count)) }
  }

  package static func hasKey(_ key: String, in bytes: [UInt8]) -> Bool { line(of: key, in: bytes) != nil }

  private static func line(of key: String, in bytes: [UInt8]) -> ArraySlice<UInt8>? {
    bytes.split(separator: UInt8(ascii: "\n")).first { line in
      line.prefix { $0 != UInt8(ascii: " ") }.elementsEqual(key.utf8)
    }
  }

  /// Numbers one a line, as in `cgroup.procs`; lines that are no process id are left out, and so is 0, which stands for a
  /// process of a foreign pid namespace.
  package static func processes(_ bytes: [UInt8]) -> [Int32] {
    bytes.split(separator: UInt8(ascii: "\n")).compactMap { line in
      guard let value = number(line), value > 0, value <= UInt64(Int32.max) else { return nil }
      return Int32(value)
    }
  }

  /// Words between white space, as in `cgroup.controllers`.
  package static func words(_ bytes: [UInt8]) -> [String] {
    bytes.split(whereSeparator: isSpace).map { String(decoding: $0, as: UTF8.self) }
  }

  private static func isSpace(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: " ") || (9...13).contains(byte)
  }
}
