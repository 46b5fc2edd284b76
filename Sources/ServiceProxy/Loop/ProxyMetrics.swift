/// What the proxy counts of itself; the names under which it is served are `kubeproxy_…`, as dashboards expect.
public struct ProxyMetrics: Sendable, Equatable {
  /// Every sync, full ones among them. Seconds.
  public var sync = Histogram(bounds: Histogram.syncBounds)
  public var fullSync = Histogram(bounds: Histogram.syncBounds)
  public var partialSync = Histogram(bounds: Histogram.syncBounds)
  /// From a change being submitted to its being committed. Seconds.
  public var programming = Histogram(bounds: Histogram.programmingBounds)
  /// The longest one batch held the kernel, seconds.
  public var longestTransaction = 0.0
  /// Unix time in seconds; 0: never.
  public var lastSync = 0.0
  public var lastQueued = 0.0
  public var syncFailures: UInt64 = 0
  public var serviceChanges: UInt64 = 0
  public var endpointChanges: UInt64 = 0
  /// Submitted and not committed.
  public var pendingServiceChanges = 0
  public var pendingEndpointChanges = 0
  /// Times somebody else's change was found, and repaired.
  public var repairs: UInt64 = 0

  public init() {}
}
