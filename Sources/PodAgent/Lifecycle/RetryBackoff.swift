/// How long something that failed waits before the next try, by name: `initial`, doubling up to `maximum`. A value.
///
/// Serves image pulls (10 s to 300 s, as upstream) and calls to the runtime (1 s to 60 s).
public struct RetryBackoff: Sendable, Hashable {
  public struct Failure: Sendable, Hashable {
    public var count: Int
    /// Nanoseconds since the epoch.
    public var retryAt: Int64
    public var problem: PodStatus.Problem
  }

  public let initial: Duration
  public let maximum: Duration
  public private(set) var failures: [String: Failure] = [:]

  public init(initial: Duration, maximum: Duration) {
    self.initial = initial
    self.maximum = max(initial, maximum)
  }

  public mutating func failed(_ name: String, _ problem: PodStatus.Problem, at now: Int64) {
    let count = (failures[name]?.count ?? 0) + 1
    var delay = initial
    for _ in 1..<max(count, 1) where delay < maximum { delay *= 2 }
    failures[name] = Failure(count: count, retryAt: min(delay, maximum).after(now), problem: problem)
  }

  public mutating func succeeded(_ name: String) { failures[name] = nil }

  /// What failed may be tried again at once: its cause has changed.
  public mutating func forgetAll() { failures = [:] }

  /// The failure that still holds back `name` at `now`.
  public func holding(_ name: String, at now: Int64) -> Failure? {
    failures[name].flatMap { $0.retryAt > now ? $0 : nil }
  }
}
