import KubeModel

/// Short ways into an answer of the daemon. What is not there or of another type is `nil`.
extension TreeValue {
  var object: TreeObject? { if case .object(let object) = self { object } else { nil } }
  var array: [TreeValue]? { if case .array(let items) = self { items } else { nil } }
  var int: Int64? { if case .int(let number) = self { number } else { nil } }
  var bool: Bool? { if case .bool(let flag) = self { flag } else { nil } }

  /// A string, or a scalar that JSON and YAML would print as one.
  var text: String? {
    switch self {
    case .string(let text): text
    case .int(let number): "\(number)"
    case .bool(let flag): "\(flag)"
    default: nil
    }
  }
}

extension TreeObject {
  /// The text at a path of keys.
  func text(_ path: String...) -> String? {
    var current: TreeObject? = self
    for key in path.dropLast() { current = current?[key]?.object }
    return path.last.flatMap { current?[$0]?.text }
  }
}
