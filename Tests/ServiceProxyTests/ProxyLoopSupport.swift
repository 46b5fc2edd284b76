import KubeModel
import Logging
import ServiceProxy
import Synchronization

/// A backend that keeps what it is given; a test says how each sync ends, and can hold it while it looks around.
actor FakeBackend: ProxyBackend {
  enum Answer: Sendable {
    case fail(String)
    /// Single service ports fail, the rest is done.
    case failing([String: String])
  }

  nonisolated let name = "fake"
  private(set) var batches: [ProxyBatch] = []
  private var answers: [Answer] = []
  private var isHeld = false
  private var held: [CheckedContinuation<Void, Never>] = []

  /// The next syncs end this way, the ones after them well.
  func answer(_ answers: Answer...) { self.answers = answers }

  /// Syncs stay under way until `release`.
  func hold() { isHeld = true }

  func release() {
    isHeld = false
    for one in held { one.resume() }
    held = []
  }

  func sync(_ batch: ProxyBatch) async throws(ProxyBackendError) -> ProxySyncReport {
    batches.append(batch)
    if isHeld { await withCheckedContinuation { held.append($0) } }
    guard !answers.isEmpty else { return ProxySyncReport() }
    switch answers.removeFirst() {
    case .fail(let message): throw ProxyBackendError(code: .retry, operation: "fake: sync", message: message, osErrno: 16)
    case .failing(let ports): return ProxySyncReport(failures: ports)
    }
  }

  func start() async throws(ProxyBackendError) {}
  func stop() async {}
  func cleanup() async throws(ProxyBackendError) -> [String] { [] }
  func ownedObjects() async throws(ProxyBackendError) -> [String] { [] }
}

/// Sleeps that end when the test says so.
final class ManualSleep: Sendable {
  private struct State {
    var lastID = 0
    var sleepers: [Int: (length: Duration, wake: CheckedContinuation<Void, any Error>)] = [:]
    var cancelled: Set<Int> = []
  }

  private let state = Mutex(State())

  /// How long those who sleep now want to.
  var lengths: [Duration] { state.withLock { $0.sleepers.values.map(\.length).sorted() } }

  /// Ends every sleep of that length.
  func wake(_ length: Duration) {
    let awake = state.withLock { state in
      let due = state.sleepers.filter { $0.value.length == length }
      for id in due.keys { state.sleepers[id] = nil }
      return due.values.map(\.wake)
    }
    for one in awake { one.resume() }
  }

  func sleep(_ length: Duration) async throws {
    let id = state.withLock { state in
      state.lastID += 1
      return state.lastID
    }
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { wake in
        let isCancelled = state.withLock { state in
          if state.cancelled.remove(id) != nil { return true }
          state.sleepers[id] = (length, wake)
          return false
        }
        if isCancelled { wake.resume(throwing: CancellationError()) }
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

/// A clock that stands still.
final class ManualTime: Sendable {
  private let nanoseconds = Mutex<Int64>(1_000_000_000)

  var now: Int64 { nanoseconds.withLock { $0 } }
  func advance(_ time: Duration) {
    let (seconds, attoseconds) = time.components
    nanoseconds.withLock { $0 += seconds * 1_000_000_000 + attoseconds / 1_000_000_000 }
  }
}

/// A loop that runs over a fake backend.
struct LoopUnderTest {
  let backend = FakeBackend()
  let sleep = ManualSleep()
  let settles = Counter()
  let clock = ManualTime()
  let loop: ProxyLoop

  init(pace: Duration = .zero) {
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    loop = ProxyLoop(
      backend: backend, resolver: resolver, logger: logger, settled: { [settles] in settles.count() }, pace: pace,
      now: { [clock] in clock.now }, sleep: { [sleep] in try await sleep.sleep($0) })
  }

  /// Runs the loop for the length of the body and ends it.
  static func running(pace: Duration = .zero, _ body: (LoopUnderTest) async throws -> Void) async rethrows {
    let test = LoopUnderTest(pace: pace)
    let run = Task { await test.loop.run() }
    defer { run.cancel() }
    try await body(test)
    await test.backend.release()
    run.cancel()
    await run.value
  }

  /// With one Service loaded.
  static func loaded(pace: Duration = .zero, _ body: (LoopUnderTest) async throws -> Void) async rethrows {
    try await running(pace: pace) { test in
      test.loop.submit([.service(service())])
      await test.loop.sourcesAreComplete()
      _ = await eventually { await test.loop.status.isLoaded }
      try await body(test)
    }
  }

  func batches() async -> [ProxyBatch] { await backend.batches }
}

/// Counts over threads.
final class Counter: Sendable {
  private let value = Mutex(0)

  var current: Int { value.withLock { $0 } }
  func count() { value.withLock { $0 += 1 } }
}

/// Waits until something another task does has happened; false when it has not after a minute (of a machine that may be very busy).
func eventually(_ condition: () async -> Bool) async -> Bool {
  let end = ContinuousClock.now + .seconds(60)
  while ContinuousClock.now < end {
    if await condition() { return true }
    try? await Task.sleep(for: .milliseconds(1))
  }
  return await condition()
}

/// Gives other tasks every chance to do what they must not do.
func quiesce() async {
  for _ in 0..<200 { await Task.yield() }
}
