/// One text for all spellings of an object.
enum CanonicalForm {
  /// What an API server adds to an exported object, which says nothing about what shall run.
  private static let bookkeeping: Set<String> = ["creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink"]

  /// Compact JSON with sorted keys, without `status` and bookkeeping.
  static func text(of node: YAMLNode) -> String {
    guard case .object(let whole) = TreeValue(node) else { return "" }
    var kept = whole
    kept["status"] = nil
    if case .object(let metadata)? = kept["metadata"] {
      kept["metadata"] = .object(TreeObject(metadata.members.filter { !bookkeeping.contains($0.key) }))
    }
    return JSONEmitter().text(.object(kept.sorted()))
  }
}
