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
  /// - Returns: what could not be made.
  func prepare() -> [KernelSettingOutcome] {
    guard settings.proxyModeName != "none" else { return [] }
    return failures(KernelSettings().apply(plan(settings), logger: logger))
  }

  /// What only the mode that was chosen asks for besides.
  /// - Returns: what could not be made.
  func finish(_ chosen: Settings) -> [KernelSettingOutcome] {
    guard chosen.proxyModeName != "none" else { return [] }
    if let adjustment = settings.proxy.oomScoreAdj { OutOfMemoryScore.adjust(to: adjustment, logger: logger) }
    let done = Set(plan(settings))
    return failures(KernelSettings().apply(plan(chosen).filter { !done.contains($0) }, logger: logger))
  }

  /// Once the first rules are in the kernel: conntrack may have come with them, and its settings with it.
  func tryAgain(_ failed: [KernelSettingOutcome]) { KernelSettings().apply(failed.map(\.setting), logger: logger) }

  private func failures(_ outcomes: [KernelSettingOutcome]) -> [KernelSettingOutcome] { outcomes.filter { $0.warning != nil } }

  /// For `--init-only`, whose whole purpose this is: what could not be made ends it with an error, as kube-proxy's does. The settings
  /// of IPVS are its backend's, which makes them when it starts; its rules stay as they are.
  func initialise(_ backend: ProxyPluginAdapter?, failed: [KernelSettingOutcome]) async throws {
    if let backend, backend.name == "ipvs" {
      try await backend.start()
      await backend.stop()
    }
    // What was done since may have brought conntrack along.
    let left = failures(KernelSettings().apply(failed.map(\.setting), logger: logger))
    guard left.isEmpty else {
      throw SettingsProblem("not all kernel settings were made:\n  " + left.compactMap(\.warning).joined(separator: "\n  "))
    }
    logger.info("the kernel is set up; ending, as --init-only asks")
  }

  private func plan(_ settings: Settings) -> [KernelSetting] {
    KernelSettingPlan.settings(settings.conntrack, processors: KernelSettings().processors())
  }
}
