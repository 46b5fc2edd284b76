internal import CLibYAML

/// Builds one tree after the other from libyaml's events. The stack is explicit: depth in the input costs no stack here.
///
/// A class, and so are its frames: a collection under construction has one owner and grows in place.
/// Used by one call on one thread only.
final class YAMLTreeBuilder {
  private final class Frame {
    let isMapping: Bool
    let anchor: String?
    let line: Int32
    let column: Int32
    var items: [YAMLNode] = []
    var pairs: [YAMLPair] = []
    /// The key whose value comes next.
    var key: (text: String, line: Int32, column: Int32)?
    /// Filled once a mapping is large enough for a linear search to hurt.
    private var keyIndex: [String: Int] = [:]
    /// What `<<` brought in; explicit keys win over these.
    var merged: [YAMLPair] = []
    var count = 1
    var height = 1

    private static let linearSearchLimit = 12

    init(isMapping: Bool, anchor: String?, line: Int32, column: Int32) {
      self.isMapping = isMapping
      self.anchor = anchor
      self.line = line
      self.column = column
    }

    func append(_ pair: YAMLPair) {
      pairs.append(pair)
      guard pairs.count > Frame.linearSearchLimit else { return }
      if keyIndex.isEmpty {
        for (index, pair) in pairs.enumerated() { keyIndex[pair.key] = index }
      } else {
        keyIndex[pair.key] = pairs.count - 1
      }
    }

    func index(of key: String) -> Int? { keyIndex.isEmpty ? pairs.firstIndex { $0.key == key } : keyIndex[key] }
  }

  private struct Anchor {
    var node: YAMLNode
    var count: Int
    var height: Int
  }

  private let limits: YAMLLimits
  private let linesBefore: Int32
  private var frames: [Frame] = []
  private var anchors: [String: Anchor] = [:]
  private var aliased = 0
  private var root: YAMLNode?
  private var faults: [YAMLError] = []

  init(limits: YAMLLimits, linesBefore: Int) {
    self.limits = limits
    self.linesBefore = Int32(clamping: linesBefore)
  }

  /// The finished document, nil where it holds nothing. The builder is ready for the next one.
  func finishDocument() -> YAMLDocument? {
    defer {
      root = nil
      faults = []
      anchors = [:]
      aliased = 0
    }
    guard let root, !(root.isNull && faults.isEmpty) else { return nil }
    return YAMLDocument(root: root, faults: faults)
  }

  func take(_ event: yaml_event_t) throws(YAMLError) {
    let (line, column) = place(event.start_mark)
    switch event.type {
    case YAML_SCALAR_EVENT:
      let scalar = try scalar(event, line: line, column: column)
      let anchor = text(event.data.scalar.anchor)
      try add(YAMLNode(content: .scalar(scalar), line: line, column: column), anchor: anchor, count: 1, height: 0)
    case YAML_SEQUENCE_START_EVENT:
      try checkTag(event.data.sequence_start.tag, is: YAML_SEQ_TAG, line: line, column: column)
      try open(Frame(isMapping: false, anchor: text(event.data.sequence_start.anchor), line: line, column: column))
    case YAML_MAPPING_START_EVENT:
      try checkTag(event.data.mapping_start.tag, is: YAML_MAP_TAG, line: line, column: column)
      try open(Frame(isMapping: true, anchor: text(event.data.mapping_start.anchor), line: line, column: column))
    case YAML_SEQUENCE_END_EVENT, YAML_MAPPING_END_EVENT:
      try close()
    case YAML_ALIAS_EVENT:
      try alias(text(event.data.alias.anchor) ?? "", line: line, column: column)
    default:
      break
    }
  }

  // MARK: Collections

  private func open(_ frame: Frame) throws(YAMLError) {
    if let last = frames.last, last.isMapping, last.key == nil {
      let found = frame.isMapping ? "mapping (is this a template whose {{ }} are not filled in?)" : "list"
      throw failure(frame.line, frame.column, "a mapping key must be a text, not a \(found)")
    }
    guard frames.count < limits.maxDepth else {
      throw failure(frame.line, frame.column, "nested deeper than \(limits.maxDepth) levels")
    }
    frames.append(frame)
  }

  private func close() throws(YAMLError) {
    guard let frame = frames.popLast() else { return }
    for pair in frame.merged where frame.index(of: pair.key) == nil { frame.append(pair) }
    let content: YAMLNode.Content = frame.isMapping ? .mapping(frame.pairs) : .sequence(frame.items)
    let node = YAMLNode(content: content, line: frame.line, column: frame.column)
    try add(node, anchor: frame.anchor, count: frame.count, height: frame.height)
  }

  private func alias(_ name: String, line: Int32, column: Int32) throws(YAMLError) {
    guard let anchor = anchors[name] else {
      throw failure(line, column, "the alias *\(name) stands for no finished anchor of this document")
    }
    aliased += anchor.count
    guard aliased <= limits.maxAliasedNodes else {
      throw failure(line, column, "the aliases of this document stand for more than \(limits.maxAliasedNodes) values")
    }
    guard frames.count + anchor.height <= limits.maxDepth else {
      throw failure(line, column, "nested deeper than \(limits.maxDepth) levels through the alias *\(name)")
    }
    try add(anchor.node, anchor: nil, count: anchor.count, height: anchor.height)
  }

  /// Puts a finished node where it belongs: the root, a list item, a mapping's key or value.
  private func add(_ node: YAMLNode, anchor: String?, count: Int, height: Int) throws(YAMLError) {
    if let anchor { anchors[anchor] = Anchor(node: node, count: count, height: height) }
    guard let frame = frames.last else {
      root = node
      return
    }
    frame.count += count
    frame.height = max(frame.height, height + 1)
    guard frame.isMapping else {
      frame.items.append(node)
      return
    }
    guard let key = frame.key else {
      frame.key = (try keyText(node), node.line, node.column)
      return
    }
    frame.key = nil
    if key.text == "<<", isMergeValue(node) {
      merge(node, into: frame)
    } else if let first = frame.index(of: key.text) {
      let place = frame.pairs[first].line
      faults.append(failure(key.line, key.column, path: path(to: key.text), "duplicate key, first given on line \(place)"))
    } else {
      frame.append(YAMLPair(key: key.text, value: node, line: key.line, column: key.column))
    }
  }

  // MARK: Keys and merging

  private func keyText(_ node: YAMLNode) throws(YAMLError) -> String {
    guard case .scalar(let scalar) = node.content else {
      throw failure(node.line, node.column, "a mapping key must be a text, not \(node.described)")
    }
    switch scalar.resolved {
    case .bool, .null, .double:
      let word = scalar.text.isEmpty ? "an empty key" : "the key \(scalar.text)"
      throw failure(node.line, node.column, "\(word) reads as \(node.described) in YAML: quote it")
    case .int, .string:
      return scalar.text
    }
  }

  /// `<<` merges a mapping or a list of mappings; with any other value it is a key like others.
  private func isMergeValue(_ node: YAMLNode) -> Bool {
    switch node.content {
    case .mapping: return true
    case .sequence(let items): return items.allSatisfy { if case .mapping = $0.content { true } else { false } }
    case .scalar: return false
    }
  }

  private func merge(_ node: YAMLNode, into frame: Frame) {
    switch node.content {
    case .mapping(let pairs): frame.merged.append(contentsOf: pairs)
    case .sequence(let items): for item in items { merge(item, into: frame) }
    case .scalar: break
    }
  }

  // MARK: Scalars

  private func scalar(_ event: yaml_event_t, line: Int32, column: Int32) throws(YAMLError) -> YAMLScalar {
    let scalar = event.data.scalar
    let value = String(decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
    if value.utf8.contains(0) { throw failure(line, column, "a NUL character inside a text") }
    guard let tag = text(scalar.tag) else { return YAMLScalar(text: value, isString: scalar.style != YAML_PLAIN_SCALAR_STYLE) }
    switch tag {
    case "!", YAML_STR_TAG, YAML_TIMESTAMP_TAG:
      return YAMLScalar(text: value, isString: true)
    case YAML_INT_TAG, YAML_BOOL_TAG, YAML_FLOAT_TAG, YAML_NULL_TAG:
      return YAMLScalar(text: value, isString: false)
    default:
      throw failure(line, column, "the tag \(tag) is not supported")
    }
  }

  private func checkTag(_ tag: UnsafePointer<yaml_char_t>?, is expected: String, line: Int32, column: Int32) throws(YAMLError) {
    guard let tag = text(tag), tag != "!", tag != expected else { return }
    throw failure(line, column, "the tag \(tag) is not supported")
  }

  private func text(_ bytes: UnsafePointer<yaml_char_t>?) -> String? { bytes.map { String(cString: $0) } }

  private func text(_ bytes: UnsafeMutablePointer<yaml_char_t>?) -> String? { bytes.map { String(cString: $0) } }

  // MARK: Places

  private func place(_ mark: yaml_mark_t) -> (line: Int32, column: Int32) {
    (linesBefore &+ Int32(clamping: mark.line) &+ 1, Int32(clamping: mark.column) &+ 1)
  }

  private func failure(_ line: Int32, _ column: Int32, path: String = "", _ reason: String) -> YAMLError {
    YAMLError(line: Int(line), column: Int(column), fieldPath: path, reason: reason)
  }

  /// The field path of `key` in the mapping on top of the stack.
  private func path(to key: String) -> String {
    var path = FieldPath()
    // A frame's key is taken off only when its value is finished, so below the top it names the way down.
    for frame in frames.dropLast() {
      if let key = frame.key { path.append(.key(key.text)) } else { path.append(.index(frame.items.count)) }
    }
    path.append(.key(key))
    return path.description
  }
}
