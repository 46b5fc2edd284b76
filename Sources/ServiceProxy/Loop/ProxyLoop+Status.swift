import Synchronization

extension ProxyLoop {
  /// For people and health checks.
  public struct Status: Sendable, Equatable {
    /// Of the last batch the kernel committed; 0 before the first.
    public var committedGeneration: UInt64 = 0
    public var isLoaded = false
    /// What failed last, until a sync succeeds.
    public var lastError: String?
    public var consecutiveFailures = 0
    /// Service ports the backend could not program, with the reason.
    public var failures: [String: String] = [:]
    /// What somebody else did to the rules when last found, until it is repaired.
    public var damage: [String] = []

    public init() {}
  }

  /// What the loop counted, and what waits at the moment.
  public var metrics: ProxyMetrics {
    var metrics = counts
    pending.withLock { (metrics.pendingServiceChanges, metrics.pendingEndpointChanges) = ($0.services, $0.slices) }
    return metrics
  }

  /// As upstream a change may wait for two periods: one sync may fail, and the next one is on its way.
  public var health: ProxyHealth {
    let isLoaded = status.isLoaded
    return ProxyHealth(
      waitingSince: pending.withLock { $0.waitingSince(isLoaded: isLoaded) }, now: now(), limit: (repairing.period ?? .seconds(30)) * 2,
      lastUpdated: counts.lastSync)
  }
}
