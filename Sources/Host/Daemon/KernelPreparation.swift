import Conntrack
import KubeModel
import Logging
import PluginHost
import ServiceProxy

/// Sets up what the proxy needs of the kernel beside its rules. Nothing of it stops the daemon.
struct KernelPreparation: Sendable {
  /// As given: the mode may not be chosen yet.
  let settings: Settings
  let logger: Logger

  /// Before a backend is loaded: what conntrack is set to decides what the backend is told.
  func prepare() {
    guard settings.proxyModeName != "none" else { return }
    KernelSettings().apply(plan(settings), logger: logger)
  }

  /// What only the mode that was chosen asks for besides.
  func finish(_ chosen: Settings) {
    guard chosen.proxyModeName != "none" else { return }
    let done = Set(plan(settings))
    KernelSettings().apply(plan(chosen).filter { !done.contains($0) }, logger: logger)
    if let adjustment = settings.proxy.oomScoreAdj { OutOfMemoryScore.adjust(to: adjustment, logger: logger) }
  }

  /// For `--init-only`. The settings of IPVS are its backend's, which makes them when it starts; its rules stay as they are.
  func initialise(_ backend: ProxyPluginAdapter?) async throws {
    if let backend, backend.name == "ipvs" {
      try await backend.start()
      await backend.stop()
    }
    logger.info("the kernel is set up; ending, as --init-only asks")
  }

  private func plan(_ settings: Settings) -> [KernelSetting] {
    KernelSettingPlan.settings(settings.conntrack, processors: KernelSettings().processors())
  }
}
