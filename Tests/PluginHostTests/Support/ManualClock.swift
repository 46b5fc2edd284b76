import PluginHost
import Synchronization

/// Time that stands still until a test advances it.
final class ManualClock: Sendable {
  private struct Sleeper {
    var end: Duration
    var wake: CheckedContinuation<Void, any Error>
  }

  private struct State {
    var now = Duration.zero
    var sleepers: [UInt64: Sleeper] = [:]
    var lastID: UInt64 = 0
    var cancelled: Set<UInt64> = []
  }

  private let state = Mutex(State())

  var clock: DeadlineClock {
    DeadlineClock(now: { self.state.withLock { $0.now } }, sleep: { try await self.sleep(until: $0) })
  }

  /// Whether somebody waits for a moment not later than `end`.
  func isAwaited(until end: Duration) -> Bool {
    state.withLock { $0.sleepers.values.contains { $0.end <= end } }
  }

  /// How many wait.
  var sleeperCount: Int { state.withLock { $0.sleepers.count } }

  func advance(by step: Duration) {
    let awake = state.withLock { state in
      state.now += step
      let due = state.sleepers.filter { $0.value.end <= state.now }
      for id in due.keys { state.sleepers[id] = nil }
      return due.values.map(\.wake)
    }
    for sleeper in awake { sleeper.resume() }
  }

  private func sleep(until end: Duration) async throws {
    let id = state.withLock { state in
      state.lastID += 1
      return state.lastID
    }
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let outcome: Result<Void, any Error>? = state.withLock { state in
          if state.cancelled.remove(id) != nil { return .failure(CancellationError()) }
          if end <= state.now { return .success(()) }
          state.sleepers[id] = Sleeper(end: end, wake: continuation)
          return nil
        }
        if let outcome { continuation.resume(with: outcome) }
      }
    } onCancel: {
      let sleeper = state.withLock { state in
        let sleeper = state.sleepers.removeValue(forKey: id)
        if sleeper == nil { state.cancelled.insert(id) }
        return sleeper
      }
      sleeper?.wake.resume(throwing: CancellationError())
    }
  }
}

/// Waits until something another thread does has happened; false when it has not after two minutes (of a busy machine).
func eventually(_ condition: () async -> Bool) async -> Bool {
  let end = ContinuousClock.now + .seconds(120)
  while ContinuousClock.now < end {
    if await condition() { return true }
    await Task.yield()
    try? await Task.sleep(for: .milliseconds(2))
  }
  return await condition()
}
