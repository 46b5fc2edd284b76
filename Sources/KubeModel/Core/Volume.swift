/// A named volume of a pod.
public struct Volume: Sendable, Hashable {
  public var name: String
  public var source: VolumeSource

  public init(name: String, source: VolumeSource) {
    self.name = name
    self.source = source
  }
}

/// Where the content of a volume comes from. A volume without any source is an `emptyDir`, as the API has it.
public enum VolumeSource: Sendable, Hashable {
  case emptyDir(EmptyDirVolumeSource)
  case hostPath(HostPathVolumeSource)
  case configMap(ConfigMapVolumeSource)
  case secret(SecretVolumeSource)
  case downwardAPI(DownwardAPIVolumeSource)
  case projected(ProjectedVolumeSource)
}

/// Where a volume is mounted in a container.
public struct VolumeMount: Sendable, Hashable {
  public var name: String
  public var mountPath: String
  public var readOnly: Bool
  /// A relative path without `..` inside the volume; empty for its root.
  public var subPath: String
  public var mountPropagation: MountPropagation

  public init(name: String, mountPath: String, readOnly: Bool = false, subPath: String = "", mountPropagation: MountPropagation = .none) {
    self.name = name
    self.mountPath = mountPath
    self.readOnly = readOnly
    self.subPath = subPath
    self.mountPropagation = mountPropagation
  }
}

/// Which way mounts made later travel between host and container.
public enum MountPropagation: String, Sendable, Hashable, CaseIterable {
  case none = "None"
  case hostToContainer = "HostToContainer"
  case bidirectional = "Bidirectional"
}

/// A directory that lives as long as the pod.
public struct EmptyDirVolumeSource: Sendable, Hashable {
  public enum Medium: Sendable, Hashable {
    case disk
    /// A tmpfs.
    case memory
  }

  public var medium: Medium
  public var sizeLimit: Quantity?

  public init(medium: Medium = .disk, sizeLimit: Quantity? = nil) {
    self.medium = medium
    self.sizeLimit = sizeLimit
  }
}

/// A path of the host.
public struct HostPathVolumeSource: Sendable, Hashable {
  public var path: String
  public var type: HostPathType

  public init(path: String, type: HostPathType = .unset) {
    self.path = path
    self.type = type
  }
}

/// What must be (or is made) at the path before the mount; `unset` checks nothing.
public enum HostPathType: String, Sendable, Hashable, CaseIterable {
  case unset = ""
  case directoryOrCreate = "DirectoryOrCreate"
  case directory = "Directory"
  case fileOrCreate = "FileOrCreate"
  case file = "File"
  case socket = "Socket"
  case charDevice = "CharDevice"
  case blockDevice = "BlockDevice"
}
