/// How long changes are gathered when they come one after the other. A value without a clock: times are nanoseconds of one that only
/// goes forward.
///
/// A sync costs far more than one more change in it, and most of what it costs is the same for one change as for ten. So the next
/// sync may begin a period after the last one did: a change that comes when nothing went on goes to the kernel at once, those of a
/// rollout go together, and none waits longer than the period.
package struct SyncPacing: Sendable {
  let period: Int64
  private var lastBegun: Int64?

  package init(period: Duration) {
    let (seconds, attoseconds) = period.components
    self.period = max(0, seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
  }

  /// Nanoseconds from now until the next sync may begin; `nil`: now.
  package func wait(at now: Int64) -> Int64? {
    guard let lastBegun, now - lastBegun < period else { return nil }
    return period - (now - lastBegun)
  }

  package mutating func begin(at now: Int64) { lastBegun = now }
}
