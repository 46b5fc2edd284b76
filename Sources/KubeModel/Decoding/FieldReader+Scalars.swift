extension FieldReader {
  // MARK: Text

  /// A string. Something that YAML reads as another type is a problem that says to quote it.
  package mutating func string(_ key: String) -> String? {
    guard let pair = take(key) else { return nil }
    return text(of: pair.value, field: [.key(key)])
  }

  package mutating func string(_ key: String, default fallback: String) -> String { string(key) ?? fallback }

  /// A string that must be there and not be empty.
  package mutating func requiredString(_ key: String) -> String {
    guard let pair = take(key) else {
      report([.key(key)], "required")
      return ""
    }
    guard let value = text(of: pair.value, field: [.key(key)]) else { return "" }
    if value.isEmpty { report([.key(key)], "required, must not be empty") }
    return value
  }

  func text(of node: YAMLNode, field: [FieldPath.Element]) -> String? {
    guard case .scalar(let scalar) = node.content else {
      report(field, "must be a string, not \(node.described)")
      return nil
    }
    let value = scalar.resolved
    guard value == .string else {
      report(field, "must be a string, not the \(value.kindName) \(FieldPath.shortened(scalar.text)): quote it")
      return nil
    }
    return scalar.text
  }

  // MARK: Numbers and booleans

  package mutating func bool(_ key: String) -> Bool? {
    guard let pair = take(key) else { return nil }
    if case .scalar(let scalar) = pair.value.content, case .bool(let value) = scalar.resolved { return value }
    report([.key(key)], "must be true or false, not \(described(pair.value))")
    return nil
  }

  package mutating func bool(_ key: String, default fallback: Bool) -> Bool { bool(key) ?? fallback }

  /// A whole number within `range`.
  package mutating func integer<T: FixedWidthInteger>(_ key: String, in range: ClosedRange<T>) -> T? {
    guard let pair = take(key) else { return nil }
    return integer(of: pair.value, field: [.key(key)], in: range)
  }

  package mutating func int32(_ key: String, in range: ClosedRange<Int32> = Int32.min...Int32.max) -> Int32? { integer(key, in: range) }

  package mutating func int64(_ key: String, in range: ClosedRange<Int64> = Int64.min...Int64.max) -> Int64? { integer(key, in: range) }

  /// A port number, 1…65535.
  package mutating func port(_ key: String) -> UInt16? { integer(key, in: 1...UInt16.max) }

  package mutating func requiredPort(_ key: String) -> UInt16 {
    if !has(key) { report([.key(key)], "required") }
    return port(key) ?? 0
  }

  func integer<T: FixedWidthInteger>(of node: YAMLNode, field: [FieldPath.Element], in range: ClosedRange<T>) -> T? {
    guard let number = wholeNumber(node) else {
      report(field, "must be an integer, not \(described(node))")
      return nil
    }
    guard let value = T(exactly: number), range.contains(value) else {
      report(field, "must be between \(range.lowerBound) and \(range.upperBound), not \(number)")
      return nil
    }
    return value
  }

  /// `1e3` is a whole number for JSON readers too.
  private func wholeNumber(_ node: YAMLNode) -> Int64? {
    guard case .scalar(let scalar) = node.content else { return nil }
    switch scalar.resolved {
    case .int(let value): return value
    case .double(let value): return Int64(exactly: value)
    default: return nil
    }
  }

  /// A value for a message; a quoted number or boolean gets the advice it needs.
  private func described(_ node: YAMLNode) -> String {
    guard case .scalar(let scalar) = node.content else { return node.described }
    let shown = FieldPath.shortened(scalar.text)
    guard scalar.resolved == .string else { return shown }
    switch ScalarValue(plain: scalar.text) {
    case .int, .double, .bool: return "the string \"\(shown)\": remove the quotes"
    default: return "the string \"\(shown)\""
    }
  }

  // MARK: Values written as text

  /// An enumeration whose raw values are the words of the API.
  package mutating func choice<T: RawRepresentable & CaseIterable>(_ key: String, _ type: T.Type) -> T? where T.RawValue == String {
    guard let pair = take(key), let word = text(of: pair.value, field: [.key(key)]) else { return nil }
    if let value = T(rawValue: word) { return value }
    report(
      [.key(key)],
      "\"\(FieldPath.shortened(word))\" is not one of \(T.allCases.map(\.rawValue).filter { !$0.isEmpty }.joined(separator: ", "))")
    return nil
  }

  /// A value with a text form; `what` names the form in the message.
  package mutating func value<T>(_ key: String, _ what: String, _ parse: (String) -> T?) -> T? {
    guard let pair = take(key), let text = text(of: pair.value, field: [.key(key)]) else { return nil }
    if let value = parse(text) { return value }
    report([.key(key)], "\"\(FieldPath.shortened(text))\" is not \(what)")
    return nil
  }

  package mutating func ipProtocol(_ key: String) -> IPProtocol {
    value(key, "one of TCP, UDP, SCTP", IPProtocol.init(name:)) ?? .tcp
  }

  package mutating func ipAddress(_ key: String) -> IPAddress? { value(key, FieldReader.addressForm, FieldReader.address) }

  package mutating func duration(_ key: String) -> Duration? {
    value(key, "a duration such as 300ms, 10s or 1m30s", GoDuration.parse)
  }

  /// A duration that must not be negative.
  package mutating func nonNegativeDuration(_ key: String) -> Duration? {
    guard let value = duration(key) else { return nil }
    if value < .zero { report([.key(key)], "must not be negative") }
    return value
  }

  /// A quantity, written as text or as a number.
  package mutating func quantity(_ key: String) -> Quantity? {
    guard let pair = take(key) else { return nil }
    return quantity(of: pair.value, field: [.key(key)])
  }

  func quantity(of node: YAMLNode, field: [FieldPath.Element]) -> Quantity? {
    guard case .scalar(let scalar) = node.content else {
      report(field, "must be a quantity such as 500m or 1Gi, not \(node.described)")
      return nil
    }
    let value: Quantity? =
      switch scalar.resolved {
      case .int(let number): Quantity(number)
      case .double, .string: Quantity(scalar.text)
      case .null, .bool: nil
      }
    if value == nil { report(field, "\"\(FieldPath.shortened(scalar.text))\" is not a quantity such as 500m or 1Gi") }
    return value
  }

  static let addressForm = "an IP address (IPv4 without leading zeros, or IPv6 that is not IPv4-mapped)"

  static func address(_ text: String) -> IPAddress? {
    guard let address = IPAddress(text), !address.isIPv4Mapped else { return nil }
    return address
  }
}
