import KubeModel

/// Which of two Services gets what only one can have: the older one, then the one whose name comes first. It does not
/// depend on who was seen first, so it is the same after a restart.
struct ServiceRank: Comparable, Sendable {
  /// Seconds since 1970.
  var created: Int64?
  /// "namespace/name"
  var name: String

  init(created: Int64?, name: String) {
    self.created = created
    self.name = name
  }

  init(_ service: Service) {
    self.init(created: service.metadata.creationTimestamp, name: service.metadata.namespacedName)
  }

  /// Without a timestamp, as in a manifest written by hand, a Service comes after those that have one.
  static func < (left: ServiceRank, right: ServiceRank) -> Bool {
    switch (left.created, right.created) {
    case (let left?, let right?) where left != right: left < right
    case (.some, nil): true
    case (nil, .some): false
    default: left.name < right.name
    }
  }
}
