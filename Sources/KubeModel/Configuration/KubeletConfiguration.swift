/// The settings of `KubeletConfiguration` (kubelet.config.k8s.io/v1beta1) that the agent uses.
///
/// Nil means "not given": the caller fills in its default or a flag's value. As upstream, an empty text and a zero
/// duration are the same as not given.
public struct KubeletConfiguration: Sendable, Hashable {
  public static let apiVersion = "kubelet.config.k8s.io/v1beta1"

  /// The directory (or file) manifests are read from.
  public var staticPodPath: String?
  /// How often the manifests are looked at when nothing notifies of changes.
  public var fileCheckFrequency: Duration?
  public var podLogsDir: String?
  /// Such as `unix:///run/containerd/containerd.sock`.
  public var containerRuntimeEndpoint: String?
  /// Nil or empty: the same as `containerRuntimeEndpoint`.
  public var imageServiceEndpoint: String?
  public var healthzBindAddress: IPAddress?
  /// 0 turns the endpoint off.
  public var healthzPort: UInt16?
  public var cgroupDriver: CgroupDriverName?
  public var cgroupRoot: String?
  public var cgroupsPerQOS: Bool?
  /// The deadline of runtime calls other than those that wait by nature.
  public var runtimeRequestTimeout: Duration?
  /// Processes a pod may have; -1 for no limit.
  public var podPidsLimit: Int64?
  public var cpuCFSQuota: Bool?
  /// 1 ms…1 s.
  public var cpuCFSQuotaPeriod: Duration?
  public var crashLoopBackOff: CrashLoopBackOffConfig
  public var clusterDNS: [IPAddress]
  public var clusterDomain: String?
  public var logging: LoggingConfiguration

  public init(
    staticPodPath: String? = nil, fileCheckFrequency: Duration? = nil, podLogsDir: String? = nil, containerRuntimeEndpoint: String? = nil,
    imageServiceEndpoint: String? = nil, healthzBindAddress: IPAddress? = nil, healthzPort: UInt16? = nil,
    cgroupDriver: CgroupDriverName? = nil, cgroupRoot: String? = nil, cgroupsPerQOS: Bool? = nil, runtimeRequestTimeout: Duration? = nil,
    podPidsLimit: Int64? = nil, cpuCFSQuota: Bool? = nil, cpuCFSQuotaPeriod: Duration? = nil,
    crashLoopBackOff: CrashLoopBackOffConfig = CrashLoopBackOffConfig(), clusterDNS: [IPAddress] = [], clusterDomain: String? = nil,
    logging: LoggingConfiguration = LoggingConfiguration()
  ) {
    self.staticPodPath = staticPodPath
    self.fileCheckFrequency = fileCheckFrequency
    self.podLogsDir = podLogsDir
    self.containerRuntimeEndpoint = containerRuntimeEndpoint
    self.imageServiceEndpoint = imageServiceEndpoint
    self.healthzBindAddress = healthzBindAddress
    self.healthzPort = healthzPort
    self.cgroupDriver = cgroupDriver
    self.cgroupRoot = cgroupRoot
    self.cgroupsPerQOS = cgroupsPerQOS
    self.runtimeRequestTimeout = runtimeRequestTimeout
    self.podPidsLimit = podPidsLimit
    self.cpuCFSQuota = cpuCFSQuota
    self.cpuCFSQuotaPeriod = cpuCFSQuotaPeriod
    self.crashLoopBackOff = crashLoopBackOff
    self.clusterDNS = clusterDNS
    self.clusterDomain = clusterDomain
    self.logging = logging
  }
}

/// How cgroups are named and made, in kubelet's words.
public enum CgroupDriverName: String, Sendable, Hashable, CaseIterable {
  case cgroupfs
  case systemd
}

/// Upstream's setting of the crash back-off.
public struct CrashLoopBackOffConfig: Sendable, Hashable {
  /// 1 s…300 s, nil for the default.
  public var maxContainerRestartPeriod: Duration?

  public init(maxContainerRestartPeriod: Duration? = nil) { self.maxContainerRestartPeriod = maxContainerRestartPeriod }
}

/// How the agent logs.
public struct LoggingConfiguration: Sendable, Hashable {
  public enum Format: String, Sendable, Hashable, CaseIterable {
    case text
    case json
  }

  public var format: Format?
  /// 0 for messages that matter to everyone, growing with detail.
  public var verbosity: UInt32?

  public init(format: Format? = nil, verbosity: UInt32? = nil) {
    self.format = format
    self.verbosity = verbosity
  }
}
