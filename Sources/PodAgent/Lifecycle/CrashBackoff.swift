/// How long a container that exited waits before it is started again: `initial`, doubling with each crash up to `maximum`,
/// from anew after it ran for `resetAfter`. Upstream's numbers are 10 s, 300 s and 10 minutes.
public struct CrashBackoff: Sendable, Hashable {
  public struct Settings: Sendable, Hashable {
    public var initial: Duration
    public var maximum: Duration
    public var resetAfter: Duration

    public init(initial: Duration = .seconds(10), maximum: Duration = .seconds(300), resetAfter: Duration = .seconds(600)) {
      self.initial = initial
      self.maximum = max(initial, maximum)
      self.resetAfter = resetAfter
    }
  }

  public var settings: Settings
  private var crashes: [String: Record] = [:]

  private struct Record: Sendable, Hashable {
    /// The container whose exit was counted last, so that one exit counts once however often it is looked at.
    var containerID: String
    /// Exits in a row, none of them after a long healthy run.
    var count: Int
  }

  public init(settings: Settings = Settings()) { self.settings = settings }

  /// Counts the exit of a container, once.
  ///
  /// Without a record (the daemon was restarted) the attempt number stands in: a container that was restarted often keeps
  /// waiting long, so a restart of the daemon does not set off all crash loops at once.
  public mutating func observe(_ container: ObservedContainer) {
    guard container.state == .exited else { return }
    let known = crashes[container.name]
    guard known?.containerID != container.id else { return }
    let ran = Duration.nanoseconds(max(container.finishedAt - container.startedAt, 0))
    let previous = known?.count ?? Int(container.attempt)
    let count = container.startedAt > 0 && ran >= settings.resetAfter ? 1 : previous + 1
    crashes[container.name] = Record(containerID: container.id, count: count)
  }

  /// When the container may be started again, in nanoseconds since the epoch.
  public func retryTime(after container: ObservedContainer) -> Int64 {
    delay(of: container.name).after(container.finishedAt)
  }

  /// The wait after the exits counted so far. The first exit restarts at once, as upstream: its back-off starts with the
  /// second.
  public func delay(of name: String) -> Duration {
    guard let count = crashes[name]?.count, count > 1 else { return .zero }
    var delay = settings.initial
    for _ in 2..<max(count, 2) {
      delay *= 2
      if delay >= settings.maximum { return settings.maximum }
    }
    return min(delay, settings.maximum)
  }

  /// Forgets what was counted, for a container whose problem is known to be solved.
  public mutating func reset(_ name: String) { crashes[name] = nil }
}

extension Duration {
  /// Whole nanoseconds, cut at `Int64.max`.
  package var wholeNanoseconds: Int64 {
    let (seconds, attoseconds) = components
    let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    return overflow ? Int64.max : scaled.addingReportingOverflow(attoseconds / 1_000_000_000).partialValue
  }

  /// This long after a time in nanoseconds since the epoch; for ever where that cannot be counted.
  package func after(_ time: Int64) -> Int64 {
    let (sum, overflow) = time.addingReportingOverflow(wholeNanoseconds)
    return overflow ? Int64.max : sum
  }
}
