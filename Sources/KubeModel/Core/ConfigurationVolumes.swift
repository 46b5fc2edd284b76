/// Files made from a ConfigMap.
public struct ConfigMapVolumeSource: Sendable, Hashable {
  public var name: String
  /// The keys to show and their paths; empty shows every key under its own name.
  public var items: [KeyToPath]
  /// Permission bits of files without a mode of their own, 0…0o777.
  public var defaultMode: Int32
  public var optional: Bool

  public init(name: String, items: [KeyToPath] = [], defaultMode: Int32 = 0o644, optional: Bool = false) {
    self.name = name
    self.items = items
    self.defaultMode = defaultMode
    self.optional = optional
  }
}

/// Files made from a Secret.
public struct SecretVolumeSource: Sendable, Hashable {
  public var secretName: String
  /// The keys to show and their paths; empty shows every key under its own name.
  public var items: [KeyToPath]
  /// Permission bits of files without a mode of their own, 0…0o777.
  public var defaultMode: Int32
  public var optional: Bool

  public init(secretName: String, items: [KeyToPath] = [], defaultMode: Int32 = 0o644, optional: Bool = false) {
    self.secretName = secretName
    self.items = items
    self.defaultMode = defaultMode
    self.optional = optional
  }
}

/// One key and the relative path of the file made from it.
public struct KeyToPath: Sendable, Hashable {
  public var key: String
  public var path: String
  /// Permission bits 0…0o777, nil for the volume's default.
  public var mode: Int32?

  public init(key: String, path: String, mode: Int32? = nil) {
    self.key = key
    self.path = path
    self.mode = mode
  }
}

/// Files made from the pod's own fields.
public struct DownwardAPIVolumeSource: Sendable, Hashable {
  public var items: [DownwardAPIVolumeFile]
  /// Permission bits of files without a mode of their own, 0…0o777.
  public var defaultMode: Int32

  public init(items: [DownwardAPIVolumeFile] = [], defaultMode: Int32 = 0o644) {
    self.items = items
    self.defaultMode = defaultMode
  }
}

/// One file made from a field or a resource amount of the pod.
public struct DownwardAPIVolumeFile: Sendable, Hashable {
  public enum Source: Sendable, Hashable {
    case fieldRef(ObjectFieldSelector)
    /// The container's name is always set here.
    case resourceFieldRef(ResourceFieldSelector)
  }

  public var path: String
  public var source: Source
  public var mode: Int32?

  public init(path: String, source: Source, mode: Int32? = nil) {
    self.path = path
    self.source = source
    self.mode = mode
  }
}

/// Several sources in one directory.
public struct ProjectedVolumeSource: Sendable, Hashable {
  public var sources: [VolumeProjection]
  /// Permission bits of files without a mode of their own, 0…0o777.
  public var defaultMode: Int32

  public init(sources: [VolumeProjection] = [], defaultMode: Int32 = 0o644) {
    self.sources = sources
    self.defaultMode = defaultMode
  }
}

/// One source of a projected volume.
public enum VolumeProjection: Sendable, Hashable {
  case configMap(name: String, items: [KeyToPath], optional: Bool)
  case secret(name: String, items: [KeyToPath], optional: Bool)
  case downwardAPI(items: [DownwardAPIVolumeFile])
}
