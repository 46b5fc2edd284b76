/// Time as deadlines see it; a value, so that tests advance it by hand.
public struct DeadlineClock: Sendable {
  /// Since some fixed moment.
  public var now: @Sendable () -> Duration
  /// Returns once `now` has reached the given time; throws when the task is cancelled.
  public var sleep: @Sendable (_ until: Duration) async throws -> Void

  public init(now: @escaping @Sendable () -> Duration, sleep: @escaping @Sendable (_ until: Duration) async throws -> Void) {
    self.now = now
    self.sleep = sleep
  }

  /// Real time, which goes on while the machine sleeps.
  public static let real: DeadlineClock = {
    let clock = ContinuousClock()
    let origin = clock.now
    return DeadlineClock(
      now: { origin.duration(to: clock.now) },
      sleep: { try await clock.sleep(until: origin.advanced(by: $0), tolerance: .milliseconds(50)) })
  }()
}
