/// A document as a value: what `-o yaml` and `-o json` print and what canonical forms are made of.
public enum TreeValue: Sendable, Hashable {
  case null
  case bool(Bool)
  case int(Int64)
  case double(Double)
  case string(String)
  case array([TreeValue])
  case object(TreeObject)
}

/// An object that keeps the order its members were added in.
public struct TreeObject: Sendable, Hashable {
  public struct Member: Sendable, Hashable {
    public var key: String
    public var value: TreeValue

    public init(key: String, value: TreeValue) {
      self.key = key
      self.value = value
    }
  }

  public private(set) var members: [Member] = []

  public init() {}

  public init(_ members: [Member]) { self.members = members }

  public var isEmpty: Bool { members.isEmpty }

  /// Reads, replaces, appends (a new key) or removes (nil) a member. Linear in the number of members.
  public subscript(key: String) -> TreeValue? {
    get { members.first { $0.key == key }?.value }
    set {
      switch (members.firstIndex { $0.key == key }, newValue) {
      case (let index?, let value?): members[index].value = value
      case (let index?, nil): members.remove(at: index)
      case (nil, let value?): members.append(Member(key: key, value: value))
      case (nil, nil): break
      }
    }
  }

  /// The same members by key, all levels below included.
  public func sorted() -> TreeObject {
    TreeObject(members.map { Member(key: $0.key, value: $0.value.sorted()) }.sorted { $0.key < $1.key })
  }
}

extension TreeValue {
  /// The same value with the members of every object ordered by key.
  public func sorted() -> TreeValue {
    switch self {
    case .array(let items): .array(items.map { $0.sorted() })
    case .object(let object): .object(object.sorted())
    default: self
    }
  }

  /// The value a parsed node stands for.
  public init(_ node: YAMLNode) {
    switch node.content {
    case .sequence(let items):
      self = .array(items.map(TreeValue.init))
    case .mapping(let pairs):
      self = .object(TreeObject(pairs.map { TreeObject.Member(key: $0.key, value: TreeValue($0.value)) }))
    case .scalar(let scalar):
      switch scalar.resolved {
      case .null: self = .null
      case .bool(let value): self = .bool(value)
      case .int(let value): self = .int(value)
      case .double(let value): self = .double(value)
      case .string: self = .string(scalar.text)
      }
    }
  }
}

extension TreeValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral, ExpressibleByFloatLiteral,
  ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByNilLiteral
{
  public init(stringLiteral value: String) { self = .string(value) }
  public init(integerLiteral value: Int64) { self = .int(value) }
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  public init(floatLiteral value: Double) { self = .double(value) }
  public init(arrayLiteral elements: TreeValue...) { self = .array(elements) }
  public init(dictionaryLiteral elements: (String, TreeValue)...) {
    self = .object(TreeObject(elements.map { TreeObject.Member(key: $0.0, value: $0.1) }))
  }
  public init(nilLiteral: ()) { self = .null }
}
