/// How long a backend may take for each kind of call before it counts as hung.
public struct PluginDeadlines: Sendable, Hashable {
  /// dlopen, negotiation, create, init: each.
  public var load = Duration.seconds(30)
  public var probe = Duration.seconds(15)
  public var start = Duration.seconds(60)
  /// One batch, which the host bounds in size.
  public var sync = Duration.seconds(60)
  public var stop = Duration.seconds(15)
  public var cleanup = Duration.seconds(120)
  public var list = Duration.seconds(30)
  /// Create, set, read, list and remove one cgroup.
  public var cgroup = Duration.seconds(15)
  /// Until the last process of a cgroup is gone.
  public var kill = Duration.seconds(30)
  /// Until the thread has run what is queued at the end.
  public var shutDown = Duration.seconds(30)

  public init() {}
}
