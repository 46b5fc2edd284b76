/// The way from an object's root to a field, printed as Kubernetes prints it: `spec.containers[0].image`.
package struct FieldPath: Sendable, Hashable, CustomStringConvertible {
  package enum Element: Sendable, Hashable, ExpressibleByStringLiteral {
    case key(String)
    case index(Int)

    package init(stringLiteral value: String) { self = .key(value) }
  }

  package private(set) var elements: [Element]

  package init(_ elements: [Element] = []) { self.elements = elements }

  package mutating func append(_ element: Element) { elements.append(element) }

  package mutating func removeLast() { elements.removeLast() }

  package func appending(_ more: [Element]) -> FieldPath { FieldPath(elements + more) }

  /// Keys that would be unreadable between dots, such as label names, stand in brackets.
  package var description: String {
    var text = ""
    for element in elements {
      switch element {
      case .index(let index):
        text += "[\(index)]"
      case .key(let key) where FieldPath.isPlain(key):
        text += text.isEmpty ? key : ".\(key)"
      case .key(let key):
        text += "[\(FieldPath.shortened(key))]"
      }
    }
    return text
  }

  private static func isPlain(_ key: String) -> Bool {
    !key.isEmpty && key.utf8.count <= 64 && key.utf8.allSatisfy { Character(Unicode.Scalar($0)).isASCIIWord || $0 == UInt8(ascii: "-") }
  }

  /// A message shows what it was given, but not megabytes or control characters of it.
  static func shortened(_ text: String) -> String {
    var shown = ""
    for scalar in text.unicodeScalars.prefix(64) {
      shown += scalar.value < 0x20 || scalar.value == 0x7F ? "\\u{\(String(scalar.value, radix: 16))}" : String(scalar)
    }
    return text.unicodeScalars.count > 64 ? shown + "…" : shown
  }
}

extension Character {
  fileprivate var isASCIIWord: Bool {
    switch self {
    case "a"..."z", "A"..."Z", "0"..."9", "_": true
    default: false
    }
  }
}
