/// Key of a service port, "namespace/name:port/TCP/4", with its hash. A full load looks each up several times, where every probe of
/// a dictionary meets another one: the hash tells them apart without reading two texts that begin alike.
package struct ServiceKey: Hashable, Comparable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
  package let text: String
  private let hash: Int

  package init(_ text: String) {
    self.text = text
    hash = text.hashValue
  }

  package init(stringLiteral text: String) { self.init(text) }

  package static func == (left: ServiceKey, right: ServiceKey) -> Bool { left.hash == right.hash && left.text == right.text }
  package static func < (left: ServiceKey, right: ServiceKey) -> Bool { left.text < right.text }
  package func hash(into hasher: inout Hasher) { hasher.combine(hash) }
  package var description: String { text }
}
