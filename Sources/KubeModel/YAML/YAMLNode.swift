/// One node of a parsed document, with the place it starts at.
public struct YAMLNode: Sendable {
  public enum Content: Sendable {
    case scalar(YAMLScalar)
    case sequence([YAMLNode])
    /// In document order; keys are unique.
    case mapping([YAMLPair])
  }

  public var content: Content
  /// From 1, in the whole file.
  public var line: Int32
  /// From 1, in characters.
  public var column: Int32

  public init(content: Content, line: Int32, column: Int32) {
    self.content = content
    self.line = line
    self.column = column
  }

  /// What the node is, in the words of a message: `mapping`, `list`, `boolean` …
  public var kindName: String {
    switch content {
    case .scalar(let scalar): scalar.resolved.kindName
    case .sequence: "list"
    case .mapping: "mapping"
    }
  }

  /// The same with its article.
  var described: String { kindName == "integer" ? "an integer" : "a \(kindName)" }

  /// Whether the node is `null`, `~` or empty, which the API reads as "not given".
  public var isNull: Bool {
    if case .scalar(let scalar) = content { return scalar.isNull }
    return false
  }

  /// The value of a key of a mapping; nil where the node is none or lacks the key.
  public subscript(key: String) -> YAMLNode? {
    guard case .mapping(let pairs) = content else { return nil }
    return pairs.first { $0.key == key }?.value
  }
}

/// One entry of a mapping.
public struct YAMLPair: Sendable {
  public var key: String
  public var value: YAMLNode
  /// The place of the key.
  public var line: Int32
  public var column: Int32

  public init(key: String, value: YAMLNode, line: Int32, column: Int32) {
    self.key = key
    self.value = value
    self.line = line
    self.column = column
  }
}

/// The text of a scalar and whether its type is still to be read from it.
public struct YAMLScalar: Sendable, Hashable {
  public var text: String
  /// True for quoted and block scalars and for those tagged `!!str`: these are strings whatever they look like.
  public var isString: Bool

  public init(text: String, isString: Bool) {
    self.text = text
    self.isString = isString
  }

  public var resolved: ScalarValue { isString ? .string : ScalarValue(plain: text) }

  public var isNull: Bool { !isString && ScalarValue.isNull(text) }
}
