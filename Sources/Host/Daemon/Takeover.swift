import Logging
import PodAgent
import ServiceProxy

/// Removes what other proxy modes left in the kernel, ours and kube-proxy's, once our own rules are committed and were
/// found to be there. Never before: until then the old rules carry the traffic.
struct Takeover: Sendable {
  let proxy: ProxyLoop
  /// The mode that stays.
  let mode: String
  /// Where backends and state are, as the daemon was told.
  let settings: Settings
  let logger: Logger
  /// Told of what was removed, for events.
  let removed: @Sendable (String) async -> Void

  /// Returns once that is done, or cancelled.
  func run() async {
    guard await proxy.waitUntilLoaded(), await areRulesThere() else { return }
    // A child: the other modes' libraries would stay in the daemon's memory for ever.
    var arguments = ["cleanup", "--except", mode]
    for directory in settings.pluginDirectories { arguments += ["--plugin-dir", directory] }
    for directory in settings.untrustedPluginDirectories { arguments += ["--plugin-path", directory] }
    arguments += ["--root-dir", settings.rootDirectory]
    do {
      let lines = try await OwnCommand(arguments: arguments).run(within: .seconds(300))
      let things = lines.filter { $0.hasPrefix("removed ") }.map { String($0.dropFirst(8)) }
      for thing in things { logger.debug("removed", metadata: ["what": "\(thing)"]) }
      guard let first = things.first else { return }
      // kube-proxy leaves a chain for each Service and endpoint: not an event each.
      let summary = things.count == 1 ? first : "\(first) and \(things.count - 1) more"
      logger.notice("what other proxy modes left is removed", metadata: ["what": "\(summary)"])
      await removed(summary)
    } catch {
      guard !Task.isCancelled else { return }
      logger.warning(
        "what other proxy modes left could not all be removed; `swiftlet cleanup --except \(mode)` tries again",
        metadata: ["error": "\(error)"])
    }
  }

  /// Returns once a comparison with the kernel found nothing missing: a firewall that starts at the same time may flush the first
  /// load, and a comparison may fail. False: cancelled.
  private func areRulesThere() async -> Bool {
    var told = ""
    while !Task.isCancelled {
      let damage = await proxy.verify()
      if damage?.isEmpty == true { return true }
      let finding = damage?.prefix(5).joined(separator: "; ") ?? "they cannot be compared with the kernel"
      if told != finding {
        logger.warning(
          "the new rules are not all there; what other modes left stays until they are", metadata: ["findings": "\(finding)"])
      }
      told = finding
      try? await Task.sleep(for: Takeover.pause)
    }
    return false
  }

  /// Between two comparisons.
  private static let pause = Duration.seconds(2)
}
