/// Settings upstream has no word for (swiftlet.io/v1alpha1). Nil means "not given".
public struct SwiftletConfiguration: Sendable, Hashable {
  public static let apiVersion = "swiftlet.io/v1alpha1"

  /// Where backends are looked for, in this order; absolute paths.
  public var pluginDirectories: [String]
  /// The ranges addresses of Services are taken from, at most one of each family.
  public var serviceClusterIPRange: [CIDR]
  /// Where the agent keeps what must survive a restart.
  public var stateDirectory: String?
  /// The cgroup backend to load, when it is not found by name; an absolute path.
  public var cgroupDriverPath: String?
  /// A proxy backend's name or absolute path, `auto` or `none`.
  public var proxyMode: String?
  public var crashLoopBackOff: CrashLoopBackOff

  /// The waits between restarts of a container that keeps ending.
  public struct CrashLoopBackOff: Sendable, Hashable {
    /// The first wait; doubled each time.
    public var initial: Duration?
    /// The longest wait.
    public var max: Duration?

    public init(initial: Duration? = nil, max: Duration? = nil) {
      self.initial = initial
      self.max = max
    }
  }

  public init(
    pluginDirectories: [String] = [], serviceClusterIPRange: [CIDR] = [], stateDirectory: String? = nil, cgroupDriverPath: String? = nil,
    proxyMode: String? = nil, crashLoopBackOff: CrashLoopBackOff = CrashLoopBackOff()
  ) {
    self.pluginDirectories = pluginDirectories
    self.serviceClusterIPRange = serviceClusterIPRange
    self.stateDirectory = stateDirectory
    self.cgroupDriverPath = cgroupDriverPath
    self.proxyMode = proxyMode
    self.crashLoopBackOff = crashLoopBackOff
  }
}

extension SwiftletConfiguration {
  init(reader r: inout FieldReader) {
    r.ignoreTypeMeta()
    self.init(
      pluginDirectories: r.strings("pluginDirectories"), serviceClusterIPRange: r.addressRanges("serviceClusterIPRange"),
      stateDirectory: r.setting("stateDirectory"), cgroupDriverPath: r.setting("cgroupDriverPath"), proxyMode: r.setting("proxyMode"),
      crashLoopBackOff: r.object("crashLoopBackOff") { r in
        let backOff = CrashLoopBackOff(initial: r.durationSetting("initial"), max: r.durationSetting("max"))
        if let initial = backOff.initial, let longest = backOff.max, initial > longest { r.report(["initial"], "must not exceed max") }
        return backOff
      } ?? CrashLoopBackOff())
    for (index, directory) in pluginDirectories.enumerated() where !directory.hasPrefix("/") {
      r.report(["pluginDirectories", .index(index)], "must be an absolute path")
    }
    for (key, path) in [("stateDirectory", stateDirectory), ("cgroupDriverPath", cgroupDriverPath)] {
      if let path, !path.hasPrefix("/") { r.report([.key(key)], "must be an absolute path") }
    }
  }
}
