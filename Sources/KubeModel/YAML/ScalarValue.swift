/// What a plain scalar means, by the rules of the YAML 1.1 reader Kubernetes tools use: `yes`, `no`, `on`, `off`, `y`
/// and `n` are booleans, `0644`, `0o644`, `0x1f` and `0b1` are integers, `_` may group digits.
public enum ScalarValue: Sendable, Equatable {
  case null
  case bool(Bool)
  case int(Int64)
  case double(Double)
  case string

  public init(plain text: String) {
    if ScalarValue.isNull(text) {
      self = .null
      return
    }
    guard let first = text.utf8.first else {
      self = .null
      return
    }
    switch first {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."):
      self = ScalarValue.number(text) ?? .string
    case UInt8(ascii: "t"), UInt8(ascii: "T"), UInt8(ascii: "f"), UInt8(ascii: "F"), UInt8(ascii: "y"), UInt8(ascii: "Y"),
      UInt8(ascii: "n"), UInt8(ascii: "N"), UInt8(ascii: "o"), UInt8(ascii: "O"):
      self = ScalarValue.boolean(text).map(ScalarValue.bool) ?? .string
    default:
      self = .string
    }
  }

  /// The type in the words of a message.
  var kindName: String {
    switch self {
    case .null: "null"
    case .bool: "boolean"
    case .int: "integer"
    case .double: "number"
    case .string: "string"
    }
  }

  static func isNull(_ text: String) -> Bool {
    switch text.utf8.count {
    case 0: true
    case 1: text == "~"
    case 4: text == "null" || text == "Null" || text == "NULL"
    default: false
    }
  }

  private static func boolean(_ text: String) -> Bool? {
    guard text.utf8.count <= 5 else { return nil }
    switch text {
    case "true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON", "y", "Y": return true
    case "false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF", "n", "N": return false
    default: return nil
    }
  }

  private static func number(_ text: String) -> ScalarValue? {
    switch text {
    case ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF": return .double(.infinity)
    case "-.inf", "-.Inf", "-.INF": return .double(-.infinity)
    case ".nan", ".NaN", ".NAN": return .double(.nan)
    default: break
    }
    let digits = text.utf8.contains(UInt8(ascii: "_")) ? text.filter { $0 != "_" } : text
    if let integer = integer(digits) { return .int(integer) }
    guard isDecimalNumber(digits.utf8), let value = Double(digits) else { return nil }
    return .double(value)
  }

  private static func integer(_ text: String) -> Int64? {
    if let plain = Int64(text) {
      let unsigned = text.utf8.drop { $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "+") }
      if unsigned.first != UInt8(ascii: "0") || unsigned.count == 1 { return plain }
    }
    var body = Substring(text)
    var sign = ""
    if let first = body.first, first == "-" || first == "+" {
      sign = first == "-" ? "-" : ""
      body = body.dropFirst()
    }
    guard body.utf8.count > 1, body.utf8.first == UInt8(ascii: "0") else { return nil }
    body = body.dropFirst()
    let radix: Int
    switch body.first {
    case "x", "X": radix = 16
    case "b", "B": radix = 2
    case "o", "O": radix = 8
    default: return body.utf8.first.map { $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "+") } == true ? nil : Int64(sign + body, radix: 8)
    }
    body = body.dropFirst()
    guard let first = body.utf8.first, first != UInt8(ascii: "-"), first != UInt8(ascii: "+") else { return nil }
    return Int64(sign + body, radix: radix)
  }

  /// `[-+]? digits [. digits] [e [-+] digits]` with a digit somewhere before the exponent.
  private static func isDecimalNumber(_ text: String.UTF8View) -> Bool {
    var rest = text[...]
    func takeDigits() -> Int {
      let count = rest.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }.count
      rest = rest.dropFirst(count)
      return count
    }
    func take(_ first: UInt8, _ second: UInt8) -> Bool {
      guard let byte = rest.first, byte == first || byte == second else { return false }
      rest = rest.dropFirst()
      return true
    }
    _ = take(UInt8(ascii: "-"), UInt8(ascii: "+"))
    var digits = takeDigits()
    if take(UInt8(ascii: "."), UInt8(ascii: ".")) { digits += takeDigits() }
    guard digits > 0 else { return false }
    if take(UInt8(ascii: "e"), UInt8(ascii: "E")) {
      _ = take(UInt8(ascii: "-"), UInt8(ascii: "+"))
      guard takeDigits() > 0 else { return false }
    }
    return rest.isEmpty
  }
}
