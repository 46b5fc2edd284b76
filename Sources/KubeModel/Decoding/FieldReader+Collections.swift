extension FieldReader {
  /// A nested object; nil where it is not given.
  package mutating func object<T>(_ key: String, _ body: (inout FieldReader) -> T) -> T? {
    guard let pair = take(key) else { return nil }
    return context.descending(.key(key)) { FieldReader.decode(pair.value, in: context, body) }
  }

  /// A nested object that must be there.
  package mutating func requiredObject<T>(_ key: String, _ body: (inout FieldReader) -> T) -> T? {
    if !has(key) { report([.key(key)], "required") }
    return object(key, body)
  }

  /// A list of objects, empty where it is not given. An item that is no mapping is left out, with a problem.
  package mutating func list<T>(_ key: String, _ body: (inout FieldReader) -> T) -> [T] {
    guard let items = items(key) else { return [] }
    return context.descending(.key(key)) {
      var values: [T] = []
      values.reserveCapacity(items.count)
      for (index, item) in items.enumerated() {
        let value = context.descending(.index(index)) { FieldReader.decode(item, in: context, body) }
        if let value { values.append(value) }
      }
      return values
    }
  }

  /// A list of strings.
  package mutating func strings(_ key: String) -> [String] {
    guard let items = items(key) else { return [] }
    var values: [String] = []
    values.reserveCapacity(items.count)
    for (index, item) in items.enumerated() {
      if let value = text(of: item, field: [.key(key), .index(index)]) { values.append(value) }
    }
    return values
  }

  /// A list of values with a text form; `what` names the form in the message.
  package mutating func values<T>(_ key: String, _ what: String, _ parse: (String) -> T?) -> [T] {
    guard let items = items(key) else { return [] }
    var values: [T] = []
    values.reserveCapacity(items.count)
    for (index, item) in items.enumerated() {
      let field: [FieldPath.Element] = [.key(key), .index(index)]
      guard let text = text(of: item, field: field) else { continue }
      if let value = parse(text) { values.append(value) } else { report(field, "\"\(FieldPath.shortened(text))\" is not \(what)") }
    }
    return values
  }

  package mutating func ipAddresses(_ key: String) -> [IPAddress] { values(key, FieldReader.addressForm, FieldReader.address) }

  /// A list of whole numbers.
  package mutating func integers<T: FixedWidthInteger>(_ key: String, in range: ClosedRange<T>) -> [T] {
    guard let items = items(key) else { return [] }
    return items.enumerated().compactMap { integer(of: $1, field: [.key(key), .index($0)], in: range) }
  }

  /// A mapping of strings to strings.
  package mutating func stringMap(_ key: String) -> [String: String] {
    guard let entries = entries(key) else { return [:] }
    var values: [String: String] = [:]
    values.reserveCapacity(entries.count)
    for entry in entries {
      // `null` is the empty string here, as it is for the API.
      values[entry.key] = entry.value.isNull ? "" : text(of: entry.value, field: [.key(key), .key(entry.key)])
    }
    return values
  }

  /// A mapping of names to quantities.
  package mutating func quantities(_ key: String) -> [String: Quantity] {
    guard let entries = entries(key) else { return [:] }
    var values: [String: Quantity] = [:]
    for entry in entries where !entry.value.isNull {
      values[entry.key] = quantity(of: entry.value, field: [.key(key), .key(entry.key)])
    }
    return values
  }

  /// A mapping of names to bytes in base64.
  package mutating func base64Map(_ key: String) -> [String: [UInt8]] {
    guard let entries = entries(key) else { return [:] }
    var values: [String: [UInt8]] = [:]
    values.reserveCapacity(entries.count)
    for entry in entries {
      let field: [FieldPath.Element] = [.key(key), .key(entry.key)]
      guard let text = entry.value.isNull ? "" : text(of: entry.value, field: field) else { continue }
      // The text itself stays out of the message: it may be a secret.
      if let bytes = Base64.decode(text) {
        values[entry.key] = bytes
      } else {
        report(field, "is not base64; for plain text use stringData or data")
      }
    }
    return values
  }

  /// A number or a name.
  package mutating func intOrString(_ key: String) -> IntOrString? {
    guard let pair = take(key) else { return nil }
    if case .scalar(let scalar) = pair.value.content, scalar.resolved == .string { return .string(scalar.text) }
    return integer(of: pair.value, field: [.key(key)], in: Int32.min...Int32.max).map(IntOrString.int)
  }

  private mutating func items(_ key: String) -> [YAMLNode]? {
    guard let pair = take(key) else { return nil }
    if case .sequence(let items) = pair.value.content { return items }
    report([.key(key)], "must be a list, not \(pair.value.described)")
    return nil
  }

  private mutating func entries(_ key: String) -> [YAMLPair]? {
    guard let pair = take(key) else { return nil }
    if case .mapping(let entries) = pair.value.content { return entries }
    report([.key(key)], "must be a mapping, not \(pair.value.described)")
    return nil
  }
}
