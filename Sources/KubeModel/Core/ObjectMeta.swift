/// Name, labels and annotations of an object.
public struct ObjectMeta: Sendable, Hashable {
  public var name: String
  public var namespace: String
  public var labels: [String: String]
  public var annotations: [String: String]
  /// The UID a manifest or the API server gave; nil for most hand-written objects.
  public var uid: String?
  /// When the API server made the object, in seconds since 1970; nil for most hand-written objects.
  public var creationTimestamp: Int64?

  public init(
    name: String, namespace: String = "default", labels: [String: String] = [:], annotations: [String: String] = [:], uid: String? = nil,
    creationTimestamp: Int64? = nil
  ) {
    self.name = name
    self.namespace = namespace
    self.labels = labels
    self.annotations = annotations
    self.uid = uid
    self.creationTimestamp = creationTimestamp
  }

  /// `namespace/name`, the form used in messages and as a key among objects of one kind.
  public var namespacedName: String { ObjectMeta.namespacedName(namespace, name) }

  /// Asked for with each change of each object: made in one piece, which an interpolation is not.
  public static func namespacedName(_ namespace: String, _ name: String) -> String {
    String(joining: namespace, "/", name)
  }
}
