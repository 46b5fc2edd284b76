/// Checks many decoders share.
extension FieldReader {
  /// A name that must be there and follow `rule`.
  package mutating func requiredName(_ key: String, _ rule: NameRule) -> String {
    let name = requiredString(key)
    if !name.isEmpty { check(name, rule, [.key(key)]) }
    return name
  }

  /// A name that follows `rule` where it is given and not empty.
  package mutating func name(_ key: String, _ rule: NameRule) -> String? {
    guard let name = string(key), !name.isEmpty else { return nil }
    check(name, rule, [.key(key)])
    return name
  }

  package func check(_ name: String, _ rule: NameRule, _ field: [FieldPath.Element]) {
    if let complaint = rule.complaint(about: name) { report(field, complaint) }
  }

  /// An absolute path without `..` parts that must be there.
  package mutating func requiredAbsolutePath(_ key: String) -> String {
    let path = requiredString(key)
    guard !path.isEmpty else { return path }
    if !path.hasPrefix("/") { report([.key(key)], "\"\(FieldPath.shortened(path))\" must be an absolute path") }
    if FieldReader.climbs(path) { report([.key(key)], "must not contain '..'") }
    return path
  }

  package func checkRelativePath(_ path: String, _ field: [FieldPath.Element]) {
    if path.hasPrefix("/") { report(field, "\"\(FieldPath.shortened(path))\" must be a relative path") }
    if FieldReader.climbs(path) { report(field, "must not contain '..'") }
  }

  private static func climbs(_ path: String) -> Bool {
    path.utf8.split(separator: UInt8(ascii: "/")).contains { $0.elementsEqual("..".utf8) }
  }

  /// Permission bits, 0…0o777. A decimal that was meant as octal is the usual mistake here.
  package mutating func fileMode(_ key: String) -> Int32? {
    guard let mode = int32(key) else { return nil }
    if !(0...0o777).contains(mode) { report([.key(key)], "must be between 0 and 0777 (octal), 511 in decimal; not \(mode)") }
    return mode
  }

  /// Reports every element that occurred before. `field` leads from this mapping to the element.
  package func checkUnique<T, Key: Hashable>(_ elements: [T], by key: (T) -> Key?, field: (Int) -> [FieldPath.Element]) {
    guard elements.count > 1 else { return }
    var seen: Set<Key> = []
    for (index, element) in elements.enumerated() {
      guard let key = key(element), !seen.insert(key).inserted else { continue }
      report(field(index), "duplicate value \"\(key)\"")
    }
  }
}
