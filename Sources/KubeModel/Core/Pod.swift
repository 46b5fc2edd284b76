/// A pod as its author wrote it, with the defaults of the API filled in.
public struct Pod: Sendable {
  public var metadata: ObjectMeta
  public var spec: PodSpec
  /// The document as written, without `status` and the API server's bookkeeping, as compact JSON with sorted keys.
  /// YAML and JSON spellings of one object give the same text; any change of content changes it. The agent derives
  /// the pod's UID from it and replaces the pod when it changes.
  public var canonicalForm: String
  /// Provenance only: takes no part in equality, so moving a document inside its file changes nothing.
  public var source: ManifestSource

  public init(metadata: ObjectMeta, spec: PodSpec, canonicalForm: String = "", source: ManifestSource = ManifestSource()) {
    self.metadata = metadata
    self.spec = spec
    self.canonicalForm = canonicalForm
    self.source = source
  }
}

extension Pod: Hashable {
  public static func == (left: Pod, right: Pod) -> Bool {
    left.metadata == right.metadata && left.spec == right.spec && left.canonicalForm == right.canonicalForm
  }

  public func hash(into hasher: inout Hasher) {
    hasher.combine(metadata)
    hasher.combine(canonicalForm)
  }
}
