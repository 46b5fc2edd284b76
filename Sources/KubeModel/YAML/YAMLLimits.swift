/// Bounds on what a parser accepts, so that a hostile or mistaken file costs little.
public struct YAMLLimits: Sendable, Equatable {
  /// 3 MiB: more than the largest object an API server stores (1.5 MiB), less than what would hurt a small machine.
  public static let defaultMaxBytes = 3 << 20

  /// The largest file, in bytes; a larger one is refused before it is parsed.
  public var maxBytes: Int
  /// How deep lists and mappings may nest.
  public var maxDepth: Int
  /// How many nodes the aliases of one document may stand for, all together.
  public var maxAliasedNodes: Int

  /// How many documents one stream may have.
  public var maxDocuments: Int

  public init(
    maxBytes: Int = YAMLLimits.defaultMaxBytes, maxDepth: Int = 64, maxAliasedNodes: Int = 50_000, maxDocuments: Int = 20_000
  ) {
    self.maxBytes = maxBytes
    self.maxDepth = maxDepth
    self.maxAliasedNodes = maxAliasedNodes
    self.maxDocuments = maxDocuments
  }
}

/// Why a document cannot be read, and where.
public struct YAMLError: Error, Sendable, Equatable {
  /// From 1, in the whole file.
  public var line: Int
  /// From 1, in characters.
  public var column: Int
  /// The field the place belongs to, where it is known.
  public var fieldPath: String
  public var reason: String

  public init(line: Int, column: Int, fieldPath: String = "", reason: String) {
    self.line = line
    self.column = column
    self.fieldPath = fieldPath
    self.reason = reason
  }
}

/// One document of a stream.
public struct YAMLDocument: Sendable {
  public var root: YAMLNode
  /// Faults that leave the tree usable for further checks (duplicate keys), but make the document wrong.
  public var faults: [YAMLError]

  public init(root: YAMLNode, faults: [YAMLError] = []) {
    self.root = root
    self.faults = faults
  }
}
