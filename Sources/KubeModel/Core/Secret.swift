/// Secret data by key, decoded, with `stringData` already merged over `data` as the API server does.
///
/// Describing or printing a secret never shows its values.
public struct Secret: Sendable {
  public var metadata: ObjectMeta
  public var data: [String: [UInt8]]
  public var type: String
  public var immutable: Bool
  /// Provenance only: takes no part in equality.
  public var source: ManifestSource

  public init(
    metadata: ObjectMeta, data: [String: [UInt8]] = [:], type: String = "Opaque", immutable: Bool = false,
    source: ManifestSource = ManifestSource()
  ) {
    self.metadata = metadata
    self.data = data
    self.type = type
    self.immutable = immutable
    self.source = source
  }
}

extension Secret: Hashable {
  public static func == (left: Secret, right: Secret) -> Bool {
    left.metadata == right.metadata && left.data == right.data && left.type == right.type && left.immutable == right.immutable
  }

  public func hash(into hasher: inout Hasher) {
    hasher.combine(metadata)
    hasher.combine(data)
  }
}

extension Secret: CustomStringConvertible, CustomReflectable {
  public var description: String { "Secret \(metadata.namespacedName) (\(type), keys: \(data.keys.sorted().joined(separator: ", ")))" }

  public var customMirror: Mirror { Mirror(self, children: ["metadata": metadata, "type": type, "keys": data.keys.sorted()]) }
}
