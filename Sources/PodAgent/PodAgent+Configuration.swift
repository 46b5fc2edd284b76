import KubeModel
import Logging

extension PodAgent {
  /// How the agent was set up.
  public struct Configuration: Sendable {
    public var node: NodeFacts
    public var tree: CgroupTree
    public var hostDNS: DNSSettings
    public var crashBackoff: CrashBackoff.Settings
    public var pullBackoff: CrashBackoff.Settings
    /// How often the runtime is listed; upstream's second.
    public var relistInterval: Duration

    public init(
      node: NodeFacts, tree: CgroupTree, hostDNS: DNSSettings = DNSSettings(), crashBackoff: CrashBackoff.Settings = .init(),
      pullBackoff: CrashBackoff.Settings = .init(), relistInterval: Duration = .seconds(1)
    ) {
      self.node = node
      self.tree = tree
      self.hostDNS = hostDNS
      self.crashBackoff = crashBackoff
      self.pullBackoff = pullBackoff
      self.relistInterval = relistInterval
    }
  }

  /// What the agent asks of the rest of the daemon.
  public struct Hooks: Sendable {
    /// Nanoseconds since the epoch.
    public var now: @Sendable () -> Int64
    public var sleep: @Sendable (Duration) async throws -> Void
    public var record: @Sendable (AgentEvent) async -> Void
    /// The pod is about to be stopped: returns once no new connection reaches it.
    public var drain: @Sendable (ManagedPod) async -> Void
    /// The pod is gone from this node; one with the same UID may start after this.
    public var ended: @Sendable (ManagedPod) async -> Void
    /// The status of some pod, or of the runtime, changed.
    public var statusChanged: @Sendable () async -> Void
    /// Variables for the Services of a namespace.
    public var serviceLinks: @Sendable (_ namespace: String) async -> [(name: String, value: String)]

    public init(
      now: @escaping @Sendable () -> Int64 = SystemClock.now,
      sleep: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) },
      record: @escaping @Sendable (AgentEvent) async -> Void = { _ in },
      drain: @escaping @Sendable (ManagedPod) async -> Void = { _ in },
      ended: @escaping @Sendable (ManagedPod) async -> Void = { _ in },
      statusChanged: @escaping @Sendable () async -> Void = {},
      serviceLinks: @escaping @Sendable (_ namespace: String) async -> [(name: String, value: String)] = { _ in [] }
    ) {
      self.now = now
      self.sleep = sleep
      self.record = record
      self.drain = drain
      self.ended = ended
      self.statusChanged = statusChanged
      self.serviceLinks = serviceLinks
    }
  }
}
