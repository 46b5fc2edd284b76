import CRI
import KubeModel
import Logging

/// What every pod worker works with: the outside world behind protocols and closures, so that a test drives it by hand.
struct PodContext: Sendable {
  var runtime: any RuntimeService
  var images: any ImageService
  /// `nil` with `--cgroup-driver=none`: the runtime's own placement is used.
  var cgroups: (any CgroupDriver)?
  var tree: CgroupTree
  var node: NodeFacts
  var hostDNS: DNSSettings
  var crashBackoff: CrashBackoff.Settings
  var pullBackoff: CrashBackoff.Settings
  /// Nanoseconds since the epoch.
  var now: @Sendable () -> Int64
  /// Waits; tests drive it by hand.
  var sleep: @Sendable (Duration) async throws -> Void
  var record: @Sendable (AgentEvent) async -> Void
  /// The pod is about to be stopped: returns once no new connection reaches it, or its bound has passed.
  var drain: @Sendable (ManagedPod) async -> Void
  var registerSandbox: @Sendable (_ sandbox: String, _ uid: String) async -> Void
  var serviceLinks: @Sendable (_ namespace: String) async -> [(name: String, value: String)]
  var logger: Logger
}

extension PodContext {
  func event(_ severity: AgentEvent.Severity, _ pod: ManagedPod, _ reason: String, _ message: String) async {
    logger.log(
      level: severity == .warning ? .warning : .info, "\(message)", metadata: ["pod": "\(pod.fullName)", "reason": "\(reason)"])
    await record(AgentEvent(severity, kind: "Pod", object: pod.fullName, reason: reason, message: message, at: now()))
  }
}
