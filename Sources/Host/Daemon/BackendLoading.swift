import KubeModel
import Logging
import PluginHost
import PodAgent

/// Finds and loads the two backends the settings name.
struct BackendLoading: Sendable {
  let settings: Settings
  let logger: Logger

  /// The directories of the settings first, then where the bundled backends are installed.
  var locator: PluginLocator {
    let builtIn = PluginLocator.ownExecutable().map(PluginLocator.defaultDirectories) ?? []
    return PluginLocator(directories: settings.untrustedPluginDirectories + settings.pluginDirectories + builtIn)
  }

  func loader(quarantined: Bool = true) -> PluginLoader {
    var options = PluginLoader.Options(logger: logger)
    options.allowUntrusted = !settings.untrustedPluginDirectories.isEmpty
    options.stateDirectory = quarantined ? settings.rootDirectory : nil
    return PluginLoader(options)
  }

  func proxy() async throws(PluginRefusal) -> PluginSelection {
    try await PluginSelector(loader: loader(), locator: locator)
      .select(.proxy, PluginChoice(settings.proxyMode), configuration: settings.proxyPairs(nodeAddresses: NodeInspection.addresses()))
  }

  func cgroup() async throws(PluginRefusal) -> PluginSelection {
    try await PluginSelector(loader: loader(), locator: locator)
      .select(.cgroup, PluginChoice(settings.cgroupDriver), configuration: cgroupConfiguration)
  }

  /// The topmost cgroup that is ours.
  var ownedCgroup: String { CgroupTree(cgroupRoot: settings.cgroupRoot).root }

  var cgroupConfiguration: [String: String] { ["owned": ownedCgroup] }
}
