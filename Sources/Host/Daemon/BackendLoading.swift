import Conntrack
import KubeModel
import Logging
import PluginHost
import PodAgent

/// Finds and loads the two backends the settings name.
struct BackendLoading: Sendable {
  let settings: Settings
  let logger: Logger
  /// False for a command, which may be interrupted while it loads.
  var marksLoads = true

  /// For a command, which only speaks up when something is wrong.
  static func command(_ settings: Settings) -> BackendLoading {
    BackendLoading(settings: settings, logger: CommandLog.logger, marksLoads: false)
  }

  /// The directories of the settings first, then where the bundled backends are installed.
  var locator: PluginLocator {
    let builtIn = PluginLocator.ownExecutable().map(PluginLocator.defaultDirectories) ?? []
    return PluginLocator(directories: settings.untrustedPluginDirectories + settings.pluginDirectories + builtIn)
  }

  func loader(quarantined: Bool = true) -> PluginLoader {
    var options = PluginLoader.Options(logger: logger)
    options.allowUntrusted = !settings.untrustedPluginDirectories.isEmpty
    options.stateDirectory = quarantined ? settings.rootDirectory : nil
    options.marksLoads = marksLoads
    return PluginLoader(options)
  }

  /// - Parameters:
  ///   - loader: another than the daemon's own.
  ///   - nodeAddresses: the primary one of each family first.
  func proxy(_ loader: PluginLoader? = nil, nodeAddresses: [IPAddress]) async throws(PluginRefusal) -> PluginSelection {
    let selector = PluginSelector(loader: loader ?? self.loader(), locator: locator)
    let choice = PluginChoice(settings.proxyMode)
    let kernel = KernelSettings()
    let (isLiberal, takesDelayed) = (kernel.isConntrackLiberal, kernel.takesDelayedSegments)
    func pairs(_ mode: String) -> [String: String] {
      settings.running(mode).proxyPairs(nodeAddresses: nodeAddresses, isConntrackLiberal: isLiberal, takesDelayedSegments: takesDelayed)
    }
    let expected = settings.expectedProxyMode
    var selection = try await selector.select(.proxy, choice, configuration: pairs(expected))
    // What a backend is told follows its mode, and `auto` came to another one than was expected.
    guard choice == .auto, let name = selection.chosen?.descriptor.name, pairs(name) != pairs(expected) else { return selection }
    await selection.chosen?.close()
    selection.chosen = try await selector.select(.proxy, .named(name), configuration: pairs(name)).chosen
    return selection
  }

  func cgroup() async throws(PluginRefusal) -> PluginSelection {
    try await PluginSelector(loader: loader(), locator: locator)
      .select(.cgroup, PluginChoice(settings.cgroupDriver), configuration: cgroupConfiguration)
  }

  /// The topmost cgroup that is ours.
  var ownedCgroup: String { CgroupTree(cgroupRoot: settings.cgroupRoot).root }

  var cgroupConfiguration: [String: String] { ["owned": ownedCgroup] }
}
