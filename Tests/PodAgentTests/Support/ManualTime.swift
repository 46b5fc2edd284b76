import Synchronization
import Testing

/// A clock that stands still until the test moves it, and the sleeps that hang on it.
final class ManualTime: Sendable {
  private struct Sleeper {
    var due: Int64
    var duration: Duration
    var wake: CheckedContinuation<Void, any Error>?
  }

  private struct State {
    var now = start + seconds(60)
    var sleepers: [Int: Sleeper] = [:]
    var cancelled: Set<Int> = []
    var last = 0
  }

  private let state = Mutex(State())

  var now: Int64 { state.withLock { $0.now } }

  func sleep(_ duration: Duration) async throws {
    let id = state.withLock { state in
      state.last += 1
      return state.last
    }
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
        let wasCancelled = state.withLock { state in
          if state.cancelled.remove(id) != nil { return true }
          state.sleepers[id] = Sleeper(due: state.now + duration.wholeNanosecondsForTests, duration: duration, wake: continuation)
          return false
        }
        if wasCancelled { continuation.resume(throwing: CancellationError()) }
      }
    } onCancel: {
      let sleeper = state.withLock { state in
        let sleeper = state.sleepers.removeValue(forKey: id)
        if sleeper == nil { state.cancelled.insert(id) }
        return sleeper
      }
      sleeper?.wake?.resume(throwing: CancellationError())
    }
  }

  /// Moves on by this much and wakes whoever waited for a time up to then.
  func advance(by nanoseconds: Int64) {
    let woken = state.withLock { state in
      state.now += nanoseconds
      let due = state.sleepers.filter { $0.value.due <= state.now }
      for id in due.keys { state.sleepers[id] = nil }
      return due.values.compactMap(\.wake)
    }
    for continuation in woken { continuation.resume() }
  }

  /// When somebody who sleeps for just this long wakes; `nil` while nobody does.
  func wakes(after duration: Duration) -> Int64? {
    state.withLock { state in state.sleepers.values.first { $0.duration == duration }?.due }
  }

  /// Moves on to the next time somebody waits for.
  func advanceToNext() {
    let wait = state.withLock { state in state.sleepers.values.map(\.due).min().map { max($0 - state.now, 0) } }
    if let wait { advance(by: wait) }
  }
}

extension Duration {
  fileprivate var wholeNanosecondsForTests: Int64 { components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000 }
}

/// Waits for a condition, and fails the test where it does not come within a deadline of real time.
func eventually(
  _ claim: String, within limit: Duration = .seconds(120), _ location: SourceLocation = #_sourceLocation,
  meanwhile: @Sendable () async -> Void = {}, _ condition: @Sendable () async -> Bool
) async throws {
  let clock = ContinuousClock()
  let deadline = clock.now + limit
  while await !condition() {
    guard clock.now < deadline else {
      Issue.record("did not happen within \(limit): \(claim)", sourceLocation: location)
      throw CancellationError()
    }
    await meanwhile()
    try await Task.sleep(for: .milliseconds(1))
  }
}
