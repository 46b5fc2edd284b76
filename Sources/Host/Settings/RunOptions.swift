import ArgumentParser
import KubeModel
import Logging
import PodAgent

/// Flags that say where the daemon is: for every command that talks to it or to the runtime.
struct SocketOption: ParsableArguments {
  @Option(name: .customLong("socket"), help: ArgumentHelp("Local socket of the daemon.", valueName: "path"))
  var path: String = "/run/swiftlet/swiftlet.sock"
}

/// Flags shared by `run`, `check`, `plugins` and `cleanup`. Upstream's names where upstream has one. A flag wins over a
/// configuration file.
package struct SettingsOptions: ParsableArguments {
  package init() {}

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Configuration file with KubeletConfiguration, KubeProxyConfiguration or SwiftletConfiguration documents; repeatable.",
      valueName: "file"), completion: .file())
  var config: [String] = []

  @Option(
    name: .long,
    help: ArgumentHelp("Directory (or file) with manifests: Pods, ConfigMaps, Secrets, Services, EndpointSlices.", valueName: "path"),
    completion: .directory)
  var podManifestPath: String?

  @Option(name: .long, help: ArgumentHelp("Socket of the container runtime.", valueName: "unix:///path"))
  var containerRuntimeEndpoint: String?

  @Option(name: .long, help: ArgumentHelp("Socket of the image service; empty: the runtime's.", valueName: "unix:///path"))
  var imageServiceEndpoint: String?

  @Option(
    name: .long,
    help: ArgumentHelp("How Services reach the kernel: auto, none, nftables, iptables, ipvs, or the path of a backend.", valueName: "mode"),
    completion: .list(["auto", "none", "nftables", "iptables", "ipvs"]))
  var proxyMode: String?

  @Option(
    name: .long,
    help: ArgumentHelp("How cgroups are driven: auto, none, cgroupv1, cgroupv2, or the path of a backend.", valueName: "driver"),
    completion: .list(["auto", "none", "cgroupv1", "cgroupv2"]))
  var cgroupDriver: String?

  @Option(name: .long, help: ArgumentHelp("Cgroup the tree of pods is made below.", valueName: "path"))
  var cgroupRoot: String?

  @Option(name: .long, help: ArgumentHelp("Directory to look for backends in; repeatable.", valueName: "dir"), completion: .directory)
  var pluginDir: [String] = []

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Like --plugin-dir, but owner and mode of the files are not checked. For developers only.", valueName: "dir"),
    completion: .directory)
  var pluginPath: [String] = []

  @Option(name: .long, help: ArgumentHelp("State of the agent and volumes of pods.", valueName: "dir"), completion: .directory)
  var rootDir: String?

  @Option(name: .long, help: ArgumentHelp("Logs of containers.", valueName: "dir"), completion: .directory)
  var podLogDir: String?

  @Option(
    name: .long, help: ArgumentHelp("Addresses for Services without one; one range per IP family, comma separated.", valueName: "cidr"))
  var serviceClusterIpRange: String?

  @Option(
    name: .long,
    help: ArgumentHelp("Networks of pods, comma separated; traffic to Services from elsewhere is masqueraded.", valueName: "cidr"))
  var clusterCidr: String?

  @OptionGroup(title: "Service proxy") var proxy: ProxyOptions

  @Option(name: .long, help: ArgumentHelp("Address the health endpoint listens on.", valueName: "address"))
  var healthzBindAddress: String?

  @Option(name: .long, help: ArgumentHelp("Port of the health endpoint, 10248; 0 turns it off, as --pods=false does.", valueName: "port"))
  var healthzPort: UInt16?

  @Option(name: .long, help: ArgumentHelp("Name of this node; the host's name when not given.", valueName: "name"))
  var hostnameOverride: String?

  @Option(name: .long, help: ArgumentHelp("First wait of a container that keeps exiting (10s, 500ms).", valueName: "duration"))
  var crashBackoffInitial: String?

  @Option(name: .long, help: ArgumentHelp("Longest wait of a container that keeps exiting.", valueName: "duration"))
  var crashBackoffMax: String?

  @Option(name: .long, help: "Form of the log: text or json.", completion: .list(["text", "json"]))
  var logFormat: String?

  @Option(
    name: .long, help: "Least level that is logged: debug, info, warning or error.",
    completion: .list(["debug", "info", "warning", "error"]))
  var logLevel: String?

  @OptionGroup var socket: SocketOption

  /// Defaults, then files, then flags. Warnings are for the log once there is one.
  package func settings() throws(SettingsProblem) -> (settings: Settings, warnings: [String]) {
    var settings = Settings()
    let warnings = try ConfigurationFiles.load(config, into: &settings)
    try apply(to: &settings)
    try settings.check()
    return (settings, warnings)
  }

  private func apply(to settings: inout Settings) throws(SettingsProblem) {
    settings.podManifestPath = podManifestPath.map(absolute) ?? settings.podManifestPath
    settings.runtimeEndpoint = containerRuntimeEndpoint ?? settings.runtimeEndpoint
    settings.imageEndpoint = imageServiceEndpoint ?? settings.imageEndpoint
    settings.proxyMode = proxyMode ?? settings.proxyMode
    if let cgroupDriver { settings.cgroupDriver = try Settings.backend(forUpstreamDriver: cgroupDriver, of: "--cgroup-driver") }
    settings.cgroupRoot = cgroupRoot ?? settings.cgroupRoot
    settings.pluginDirectories = pluginDir.map(absolute) + settings.pluginDirectories
    settings.untrustedPluginDirectories = pluginPath.map(absolute)
    settings.rootDirectory = rootDir.map(absolute) ?? settings.rootDirectory
    settings.podLogDirectory = podLogDir.map(absolute) ?? settings.podLogDirectory
    settings.socketPath = absolute(socket.path)
    if let range = serviceClusterIpRange { settings.serviceRanges = try ranges(range, "--service-cluster-ip-range") }
    if let cidr = clusterCidr { settings.proxy.clusterCIDR = try ranges(cidr, "--cluster-cidr") }
    try proxy.apply(to: &settings)
    settings.healthzAddress = healthzBindAddress ?? settings.healthzAddress
    settings.givenHealthzPort = healthzPort ?? settings.givenHealthzPort
    settings.hostnameOverride = hostnameOverride ?? settings.hostnameOverride
    if let text = crashBackoffInitial { settings.crashBackoffInitial = try duration(text, "--crash-backoff-initial") }
    if let text = crashBackoffMax { settings.crashBackoffMaximum = try duration(text, "--crash-backoff-max") }
    try applyLogging(to: &settings)
  }

  private func applyLogging(to settings: inout Settings) throws(SettingsProblem) {
    if let logFormat {
      guard let format = LogOutput.Format(rawValue: logFormat) else {
        throw SettingsProblem("--log-format \"\(logFormat)\": must be text or json")
      }
      settings.logFormat = format
    }
    if let logLevel {
      guard let level = Logger.Level(rawValue: logLevel) else {
        throw SettingsProblem("--log-level \"\(logLevel)\": must be debug, info, warning or error")
      }
      settings.logLevel = level
    }
  }

  private func ranges(_ text: String, _ flag: String) throws(SettingsProblem) -> [CIDR] {
    var ranges: [CIDR] = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      guard let range = CIDR(String(part)) else {
        throw SettingsProblem("\(flag) \"\(text)\": \"\(part)\" is no network such as 10.96.0.0/16")
      }
      ranges.append(range)
    }
    return ranges
  }

  private func duration(_ text: String, _ flag: String) throws(SettingsProblem) -> Duration {
    guard let value = GoDuration.parse(text), value > .zero else {
      throw SettingsProblem("\(flag) \"\(text)\": must be a duration such as 10s or 500ms")
    }
    return value
  }

  private func absolute(_ path: String) -> String {
    path.hasPrefix("/") ? path : "\(WorkingDirectory.path)/\(path)"
  }
}
