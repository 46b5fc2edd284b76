/// Reads a mapping field by field into a value and collects every problem with its place.
///
/// Each accessor marks its key as known and answers a harmless stand-in when the field is wrong, so that decoding goes
/// on and later problems are found too; the caller drops the object when the context counts an error. `null` is read
/// as "not given". Keys nobody asked for are reported by the reader's owner, see `decode(_:in:_:)`.
///
/// Decoders ask for all their fields unconditionally: that is also how a misspelt field finds the name it was meant to be.
package struct FieldReader {
  package let context: DecodingContext
  package let pairs: [YAMLPair]
  /// The place the mapping starts at.
  package let line: Int32
  package let column: Int32
  private var seen: UInt64 = 0
  private var seenBeyond: Set<Int> = []
  /// The keys asked for; kept only when looking for the names a decoder knows.
  private var asked: [String]?

  private init(context: DecodingContext, pairs: [YAMLPair], line: Int32, column: Int32, recordsKeys: Bool = false) {
    self.context = context
    self.pairs = pairs
    self.line = line
    self.column = column
    asked = recordsKeys ? [] : nil
  }

  /// Decodes a mapping, then reports the keys `body` did not ask for. Nil, with a problem, for a node that is no mapping.
  package static func decode<T>(_ node: YAMLNode, in context: DecodingContext, _ body: (inout FieldReader) -> T) -> T? {
    guard case .mapping(let pairs) = node.content else {
      context.report(line: node.line, column: node.column, "must be a mapping, not \(node.described)")
      return nil
    }
    var reader = FieldReader(context: context, pairs: pairs, line: node.line, column: node.column)
    let value = body(&reader)
    if context.muted == 0 { reader.reportUnknownFields(body) }
    return value
  }

  // MARK: Keys

  /// The entry of a key, marked as known; nil where it is missing or `null`.
  package mutating func take(_ key: String) -> YAMLPair? {
    asked?.append(key)
    for (index, pair) in pairs.enumerated() where pair.key == key {
      markSeen(index)
      return pair.value.isNull ? nil : pair
    }
    return nil
  }

  /// Whether the key is there with a value. Does not mark it.
  package func has(_ key: String) -> Bool { pairs.contains { $0.key == key && !$0.value.isNull } }

  private mutating func markSeen(_ index: Int) {
    if index < 64 { seen |= 1 << UInt64(index) } else { seenBeyond.insert(index) }
  }

  private func isSeen(_ index: Int) -> Bool { index < 64 ? seen & 1 << UInt64(index) != 0 : seenBeyond.contains(index) }

  private func reportUnknownFields<T>(_ body: (inout FieldReader) -> T) {
    let unknown = pairs.indices.filter { !isSeen($0) }
    guard !unknown.isEmpty else { return }
    var probe = FieldReader(context: context, pairs: [], line: line, column: column, recordsKeys: true)
    context.muted += 1
    _ = body(&probe)
    context.muted -= 1
    for index in unknown {
      let pair = pairs[index]
      let near = context.keepsProblems ? Spelling.nearest(to: pair.key, among: probe.asked ?? []) : nil
      let hint = near.map { ", did you mean \($0)?" } ?? ""
      context.report(line: pair.line, column: pair.column, field: [.key(pair.key)], "unknown field\(hint)")
    }
  }

  // MARK: Problems

  /// Reports a problem at a field below this mapping; the place is that of the deepest part that exists.
  package func report(_ field: [FieldPath.Element], _ reason: String, severity: ManifestProblem.Severity = .error) {
    guard context.keepsProblems else {
      context.report(severity, line: line, column: column, reason)
      return
    }
    var (line, column) = (self.line, self.column)
    var node: YAMLNode?
    var entries = pairs
    walk: for element in field {
      switch element {
      case .key(let key):
        guard let pair = entries.first(where: { $0.key == key }) else { break walk }
        (line, column, node) = (pair.line, pair.column, pair.value)
      case .index(let index):
        guard case .sequence(let items)? = node?.content, items.indices.contains(index) else { break walk }
        (line, column, node) = (items[index].line, items[index].column, items[index])
      }
      if case .mapping(let pairs)? = node?.content { entries = pairs } else { entries = [] }
    }
    context.report(severity, line: line, column: column, field: field, reason)
  }

  package func warn(_ field: [FieldPath.Element], _ reason: String) { report(field, reason, severity: .warning) }

  // MARK: Fields without effect

  /// How a field of the Kubernetes API that is not honoured is met.
  package enum Unsupported {
    /// Leaving it out only degrades: the object is taken with a warning.
    case warn
    /// Leaving it out would change what the object means or how safe it is: the object is refused.
    case refuse
  }

  /// Declares a field that is known but not honoured.
  package mutating func notSupported(_ key: String, _ how: Unsupported) {
    guard let pair = take(key), !pair.value.isEmptyCollection else { return }
    switch how {
    case .warn: warn([.key(key)], "not supported yet, has no effect")
    case .refuse: report([.key(key)], "not supported yet")
    }
  }

  package mutating func notSupported(_ keys: [String], _ how: Unsupported) {
    for key in keys { notSupported(key, how) }
  }

  /// Accepts fields that carry nothing for a node, such as what an API server adds to an exported object.
  package mutating func ignore(_ keys: String...) {
    for key in keys { _ = take(key) }
  }
}

extension YAMLNode {
  /// `[]` or `{}`, which ask for nothing.
  var isEmptyCollection: Bool {
    switch content {
    case .sequence(let items): items.isEmpty
    case .mapping(let pairs): pairs.isEmpty
    case .scalar: false
    }
  }
}
