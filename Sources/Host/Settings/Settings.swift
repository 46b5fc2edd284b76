import KubeModel
import Logging
import PodAgent

/// How the daemon was set up: built-in defaults, then configuration files, then flags. A value made by pure functions.
package struct Settings: Sendable, Equatable {
  /// `nil`: no static pods.
  package var podManifestPath: String?
  package var fileCheckFrequency: Duration = .seconds(20)
  package var runtimeEndpoint = "unix:///run/containerd/containerd.sock"
  /// Empty: the same as the runtime's.
  package var imageEndpoint = ""
  package var runtimeRequestTimeout: Duration = .seconds(120)
  /// "auto", "none", a backend's name, or an absolute path.
  package var proxyMode = "auto"
  package var cgroupDriver = "auto"
  package var cgroupRoot = "/"
  package var podPidsLimit: UInt64?
  package var enforcesCPUQuota = true
  package var cpuQuotaPeriod: Duration = .milliseconds(100)
  /// Where backends are looked for, before the built-in places.
  package var pluginDirectories: [String] = []
  /// Directories whose owner and mode are not looked at; for developers.
  package var untrustedPluginDirectories: [String] = []
  package var rootDirectory = "/var/lib/swiftlet"
  package var podLogDirectory = "/var/log/pods"
  package var socketPath = "/run/swiftlet/swiftlet.sock"
  package var serviceRanges: [CIDR] = [CIDR("10.96.0.0/16")].compactMap { $0 }
  /// False: pods are somebody else's, Services are ours.
  package var runsPods = true
  /// True: what takes full privileges is set up, and the program ends.
  package var isInitOnly = false
  /// Whether what other proxy modes left is removed.
  package var takesOver = true
  /// kube-proxy's two ports.
  package var proxyMetrics = ListeningPlace.byDefault
  package var proxyHealthz = ListeningPlace.byDefault
  package var healthzAddress = "127.0.0.1"
  /// 0: none. Where nothing is said kubelet's own, and none beside somebody else's kubelet, which has it.
  package var healthzPort: UInt16 { givenHealthzPort ?? (runsPods ? 10248 : 0) }
  package var givenHealthzPort: UInt16?
  package var hostnameOverride: String?
  /// `topology.kubernetes.io/zone` of this node; `nil`: not known.
  package var nodeZone: String?
  package var clusterDomain = ""
  package var clusterDNS: [IPAddress] = []
  package var crashBackoffInitial: Duration = .seconds(10)
  package var crashBackoffMaximum: Duration = .seconds(300)
  /// What kube-proxy's configuration says, or flags in its place.
  package var proxy = KubeProxyConfiguration()
  /// Whether there was such a document: who wrote one expects what kube-proxy does by default.
  package var hasKubeProxyConfiguration = false
  /// The backend that was chosen, once it is; `nil`: not known yet.
  package var chosenProxyMode: String?
  package var logFormat = LogOutput.Format.text
  package var logLevel = Logger.Level.info

  package init() {}
}

/// Something in the settings that makes no sense, or that this version does not do.
package struct SettingsProblem: Error, Sendable, Equatable, CustomStringConvertible {
  package var message: String

  package init(_ message: String) { self.message = message }

  package var description: String { message }
}

extension Settings {
  /// Takes over what configuration files say. Values that upstream has and this version does not do are returned as
  /// warnings.
  package mutating func apply(_ configuration: DecodedConfiguration) throws(SettingsProblem) -> [String] {
    if let kubelet = configuration.kubelet { try apply(kubelet) }
    if let proxy = configuration.kubeProxy { apply(proxy) }
    if let own = configuration.swiftlet { apply(own) }
    return []
  }

  private mutating func apply(_ kubelet: KubeletConfiguration) throws(SettingsProblem) {
    if let path = kubelet.staticPodPath, !path.isEmpty { podManifestPath = path }
    fileCheckFrequency = kubelet.fileCheckFrequency ?? fileCheckFrequency
    podLogDirectory = kubelet.podLogsDir ?? podLogDirectory
    runtimeEndpoint = kubelet.containerRuntimeEndpoint ?? runtimeEndpoint
    imageEndpoint = kubelet.imageServiceEndpoint ?? imageEndpoint
    healthzAddress = kubelet.healthzBindAddress.map { "\($0)" } ?? healthzAddress
    givenHealthzPort = kubelet.healthzPort ?? givenHealthzPort
    if let driver = kubelet.cgroupDriver { cgroupDriver = try Settings.backend(forUpstreamDriver: driver.rawValue, of: "cgroupDriver") }
    cgroupRoot = kubelet.cgroupRoot ?? cgroupRoot
    if kubelet.cgroupsPerQOS == false { cgroupDriver = "none" }
    runtimeRequestTimeout = kubelet.runtimeRequestTimeout ?? runtimeRequestTimeout
    if let limit = kubelet.podPidsLimit { podPidsLimit = limit > 0 ? UInt64(limit) : nil }
    enforcesCPUQuota = kubelet.cpuCFSQuota ?? enforcesCPUQuota
    cpuQuotaPeriod = kubelet.cpuCFSQuotaPeriod ?? cpuQuotaPeriod
    if let maximum = kubelet.crashLoopBackOff.maxContainerRestartPeriod {
      crashBackoffMaximum = maximum
      crashBackoffInitial = min(crashBackoffInitial, maximum)
    }
    if !kubelet.clusterDNS.isEmpty { clusterDNS = kubelet.clusterDNS }
    clusterDomain = kubelet.clusterDomain ?? clusterDomain
    apply(kubelet.logging)
  }

  private mutating func apply(_ logging: LoggingConfiguration) {
    if let format = logging.format { logFormat = format == .json ? .json : .text }
    if let verbosity = logging.verbosity, verbosity >= 4 { logLevel = .debug }
  }

  private mutating func apply(_ proxy: KubeProxyConfiguration) {
    self.proxy = proxy
    hasKubeProxyConfiguration = true
    if let mode = proxy.mode, !mode.isEmpty { proxyMode = mode }
    hostnameOverride = proxy.hostnameOverride ?? hostnameOverride
    if let place = proxy.metricsBindAddress { proxyMetrics = .at(place) }
    if let place = proxy.healthzBindAddress { proxyHealthz = .at(place) }
    apply(proxy.logging)
  }

  private mutating func apply(_ own: SwiftletConfiguration) {
    pluginDirectories += own.pluginDirectories
    if !own.serviceClusterIPRange.isEmpty { serviceRanges = own.serviceClusterIPRange }
    rootDirectory = own.stateDirectory ?? rootDirectory
    cgroupDriver = own.cgroupDriverPath ?? cgroupDriver
    proxyMode = own.proxyMode ?? proxyMode
    crashBackoffInitial = own.crashLoopBackOff.initial ?? crashBackoffInitial
    crashBackoffMaximum = own.crashLoopBackOff.max ?? crashBackoffMaximum
  }

  /// Upstream's "cgroupfs" means: write to whatever is mounted.
  ///
  /// - Parameter field: the flag or field that named the driver, for the refusal.
  package static func backend(forUpstreamDriver name: String, of field: String) throws(SettingsProblem) -> String {
    switch name {
    case "cgroupfs": return "auto"
    case "systemd":
      throw SettingsProblem(
        "\(field): systemd is not supported yet; set it to cgroupfs here and in the runtime (containerd: SystemdCgroup = false)")
    default: return name
    }
  }

  /// Makes the directories the daemon keeps things in.
  func makeDirectories() throws(SettingsProblem) {
    do {
      try Files.makeDirectories(rootDirectory, mode: 0o750)
      try Files.makeDirectories(podLogDirectory, mode: 0o755)
    } catch {
      throw SettingsProblem("\(error)")
    }
  }

  /// Takes the names of these directories without links, dots and double slashes, where they exist: the mounts below them
  /// are found by what the kernel calls them.
  mutating func resolveDirectories() {
    rootDirectory = (try? Files.canonical(rootDirectory)) ?? rootDirectory
    podLogDirectory = (try? Files.canonical(podLogDirectory)) ?? podLogDirectory
  }

  /// What could never work, found before anything is started.
  package func check() throws(SettingsProblem) {
    for path in [rootDirectory, podLogDirectory, socketPath] + [podManifestPath].compactMap({ $0 }) where !path.hasPrefix("/") {
      throw SettingsProblem("\"\(path)\" must be an absolute path")
    }
    // sockaddr_un holds 108 bytes with the terminating NUL.
    if socketPath.utf8.count > 107 {
      throw SettingsProblem("--socket \"\(socketPath)\" is too long for a unix socket: 107 bytes at most")
    }
    let families = serviceRanges.map(\.family)
    if families.count > 2 || Set(families).count != families.count {
      throw SettingsProblem("--service-cluster-ip-range takes at most one range of each IP family")
    }
    if crashBackoffInitial > crashBackoffMaximum {
      throw SettingsProblem("crash back-off: initial \(crashBackoffInitial) is above the maximum \(crashBackoffMaximum)")
    }
  }
}
