import KubeModel

/// Namespace and name of an object, as a key that is made of both without a text of its own.
struct ObjectName: Hashable, Sendable {
  var namespace: String
  var name: String

  init(namespace: String, name: String) {
    self.namespace = namespace
    self.name = name
  }

  init(_ metadata: ObjectMeta) { self.init(namespace: metadata.namespace, name: metadata.name) }

  /// - Parameter text: "namespace/name"
  init(_ text: some StringProtocol) {
    let end = text.firstIndex(of: "/") ?? text.startIndex
    self.init(namespace: String(text[..<end]), name: String(text[end...].drop { $0 == "/" }))
  }
}
