/// Whether changes reach the kernel in time, as kube-proxy judges itself: not by failures, which are tried again, but by how long the
/// oldest change has waited. A function of values.
public struct ProxyHealth: Sendable, Equatable {
  /// How long the oldest change has waited that the kernel has not committed, one under way in a backend that hangs among them; zero
  /// when there is none.
  public var waiting: Duration
  /// Past this the proxy is unhealthy.
  public var limit: Duration
  /// The last commit, Unix time in seconds; 0: none yet.
  public var lastUpdated: Double

  public var isHealthy: Bool { waiting < limit }

  /// - Parameters:
  ///   - waitingSince: when the oldest change came, on the clock of `now`, nanoseconds; 0: there is none.
  public init(waitingSince: Int64, now: Int64, limit: Duration, lastUpdated: Double) {
    waiting = waitingSince == 0 ? .zero : .nanoseconds(max(0, now - waitingSince))
    self.limit = limit
    self.lastUpdated = lastUpdated
  }
}
