/// When the table may be looked through again. At once when idle; but where looks are long (a large table) and changes many,
/// they take a tenth of one processor at most, and changes meanwhile share the next look. Times are nanoseconds.
package struct Pace: Sendable, Equatable {
  private var earliest: Int64 = 0
  private var failures = 0

  package init() {}

  package mutating func ended(at now: Int64, took: Int64, hasFailed: Bool) {
    failures = hasFailed ? failures + 1 : 0
    let rest = min(took * 9, 5_000_000_000)
    // 250 ms doubling to 32 s.
    let penalty: Int64 = hasFailed ? 250_000_000 << Int64(min(failures - 1, 7)) : 0
    earliest = now + max(rest, penalty)
  }

  package func delay(at now: Int64) -> Int64 { max(0, earliest - now) }
}
