/// Renders a tree as JSON text.
public struct JSONEmitter: Sendable {
  /// Whether to break lines and indent by two spaces; else one line without white space.
  public var pretty: Bool

  public init(pretty: Bool = false) { self.pretty = pretty }

  /// JSON text without a final line break. Numbers that JSON lacks (infinity, not-a-number) become `null`.
  public func text(_ value: TreeValue) -> String {
    var output: [UInt8] = []
    write(value, depth: 0, to: &output)
    return String(decoding: output, as: UTF8.self)
  }

  private func write(_ value: TreeValue, depth: Int, to output: inout [UInt8]) {
    switch value {
    case .null: output.append(contentsOf: "null".utf8)
    case .bool(let flag): output.append(contentsOf: (flag ? "true" : "false").utf8)
    case .int(let number): output.append(contentsOf: String(number).utf8)
    case .double(let number): write(number, to: &output)
    case .string(let text): write(text, to: &output)
    case .array(let items):
      writeBracketed(UInt8(ascii: "["), UInt8(ascii: "]"), count: items.count, depth: depth, to: &output) { index, output in
        write(items[index], depth: depth + 1, to: &output)
      }
    case .object(let object):
      let members = object.members
      writeBracketed(UInt8(ascii: "{"), UInt8(ascii: "}"), count: members.count, depth: depth, to: &output) { index, output in
        write(members[index].key, to: &output)
        output.append(contentsOf: (pretty ? ": " : ":").utf8)
        write(members[index].value, depth: depth + 1, to: &output)
      }
    }
  }

  private func writeBracketed(
    _ open: UInt8, _ close: UInt8, count: Int, depth: Int, to output: inout [UInt8], element: (Int, inout [UInt8]) -> Void
  ) {
    output.append(open)
    for index in 0..<count {
      if index > 0 { output.append(UInt8(ascii: ",")) }
      breakLine(depth + 1, to: &output)
      element(index, &output)
    }
    if count > 0 { breakLine(depth, to: &output) }
    output.append(close)
  }

  private func breakLine(_ depth: Int, to output: inout [UInt8]) {
    guard pretty else { return }
    output.append(UInt8(ascii: "\n"))
    output.append(contentsOf: repeatElement(UInt8(ascii: " "), count: depth * 2))
  }

  /// A whole number is written without a fraction, so that `1e3` and `1000` look alike.
  private func write(_ number: Double, to output: inout [UInt8]) {
    guard number.isFinite else {
      output.append(contentsOf: "null".utf8)
      return
    }
    if let whole = Int64(exactly: number), whole.magnitude < 1 << 53 {
      output.append(contentsOf: String(whole).utf8)
    } else {
      output.append(contentsOf: number.description.utf8)
    }
  }

  private func write(_ text: String, to output: inout [UInt8]) {
    output.append(UInt8(ascii: "\""))
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""): output.append(contentsOf: "\\\"".utf8)
      case UInt8(ascii: "\\"): output.append(contentsOf: "\\\\".utf8)
      case UInt8(ascii: "\n"): output.append(contentsOf: "\\n".utf8)
      case UInt8(ascii: "\r"): output.append(contentsOf: "\\r".utf8)
      case UInt8(ascii: "\t"): output.append(contentsOf: "\\t".utf8)
      case 0..<0x20, 0x7F:
        output.append(contentsOf: "\\u00".utf8)
        for digit in [byte >> 4, byte & 0xF] { output.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10) }
      default: output.append(byte)
      }
    }
    output.append(UInt8(ascii: "\""))
  }
}
