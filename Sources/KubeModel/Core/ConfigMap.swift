/// Configuration data by key. A key is in `data` or in `binaryData`, never in both.
public struct ConfigMap: Sendable {
  public var metadata: ObjectMeta
  public var data: [String: String]
  /// Already decoded from base64.
  public var binaryData: [String: [UInt8]]
  public var immutable: Bool
  /// Provenance only: takes no part in equality.
  public var source: ManifestSource

  public init(
    metadata: ObjectMeta, data: [String: String] = [:], binaryData: [String: [UInt8]] = [:], immutable: Bool = false,
    source: ManifestSource = ManifestSource()
  ) {
    self.metadata = metadata
    self.data = data
    self.binaryData = binaryData
    self.immutable = immutable
    self.source = source
  }
}

extension ConfigMap: Hashable {
  public static func == (left: ConfigMap, right: ConfigMap) -> Bool {
    left.metadata == right.metadata && left.data == right.data && left.binaryData == right.binaryData && left.immutable == right.immutable
  }

  public func hash(into hasher: inout Hasher) {
    hasher.combine(metadata)
    hasher.combine(data)
    hasher.combine(binaryData)
  }
}
