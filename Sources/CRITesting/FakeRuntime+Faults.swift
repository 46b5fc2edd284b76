import CRI

/// How a call goes wrong.
public enum FakeFault: Sendable, Hashable {
  /// Fails, with nothing done.
  case error(CRIError.Code, String)
  /// Does the work, then fails: the answer was lost.
  case errorAfterwards(CRIError.Code, String)
  /// Does nothing and never answers, until the caller's task is cancelled.
  case neverAnswers
}

struct InjectedFault {
  let fault: FakeFault
  let operation: String
  let object: String?
  /// Nil: for ever.
  var times: Int?
}

struct HeldKey: Hashable {
  let operation: String
  let object: String?
}

/// Something to wait for that also ends with the waiting task's cancellation, unlike a bare continuation.
struct Gate {
  private let stream: AsyncStream<Never>
  private let continuation: AsyncStream<Never>.Continuation

  init() { (stream, continuation) = AsyncStream.makeStream() }

  func open() { continuation.finish() }

  func wait() async {
    for await _ in stream {}
  }
}

struct Watcher {
  let condition: @Sendable (isolated FakeRuntime) -> Bool
  let gate: Gate
}

extension FakeRuntime {
  /// Makes the next calls of an operation fail.
  /// - Parameters:
  ///   - operation: the CRI name, such as `StartContainer`.
  ///   - object: only calls about this one, as the journal names it; nil for all.
  ///   - times: nil until `clearFaults`.
  public func inject(_ fault: FakeFault, on operation: String, object: String? = nil, times: Int? = 1) {
    faults.append(InjectedFault(fault: fault, operation: operation, object: object, times: times))
  }

  public func clearFaults() {
    faults = []
  }

  /// Calls of the operation wait, before anything is done, until `release`.
  /// - Parameter object: only calls about this one, as the journal names it; nil for all.
  public func hold(_ operation: String, object: String? = nil) {
    heldOperations.insert(HeldKey(operation: operation, object: object))
  }

  /// Lets the waiting calls go on, and later ones through.
  public func release(_ operation: String, object: String? = nil) {
    let key = HeldKey(operation: operation, object: object)
    heldOperations.remove(key)
    for gate in held.removeValue(forKey: key) ?? [] { gate.open() }
  }

  /// The runtime is stopped: every call fails with `isUnavailable`. What it has stays, as with a real one.
  public func goDown() {
    isDown = true
  }

  public func comeBack() {
    isDown = false
  }

  /// Suspends until the condition holds; it is tested after everything that happens. A test's own time limit is the deadline:
  /// cancelling the task ends the wait.
  public func wait(until condition: @escaping @Sendable (isolated FakeRuntime) -> Bool) async {
    if condition(self) { return }
    let watcher = Watcher(condition: condition, gate: Gate())
    watchers.append(watcher)
    await watcher.gate.wait()
  }

  /// Suspends until the journal has this line, or has it `times` times.
  public func waitForCall(_ line: String, times: Int = 1) async {
    await wait { runtime in runtime.journal.count { $0 == line } >= times }
  }

  func notify() {
    let ready = watchers.filter { $0.condition(self) }
    guard !ready.isEmpty else { return }
    watchers.removeAll { $0.condition(self) }
    for watcher in ready { watcher.gate.open() }
  }

  /// What every call begins with. Then the work is done by `body`, at once.
  /// - Parameter line: for the journal; nil for calls that only read.
  func serve<T>(
    _ operation: String, _ object: String = "", journal line: String? = nil, _ body: () throws(CRIError) -> T
  ) async throws(CRIError) -> T {
    calls[operation, default: 0] += 1
    if let line { journal.append(line.isEmpty ? operation : "\(operation) \(line)") }
    defer { notify() }
    notify()
    await waitWhileHeld(operation, object)
    if Task.isCancelled { throw error(operation, object, .cancelled, "the call was given up") }
    if isDown { throw error(operation, object, .unavailable, "fake runtime is down") }
    switch takeFault(operation, object) {
    case nil: return try body()
    case .error(let code, let message): throw error(operation, object, code, message)
    case .errorAfterwards(let code, let message):
      _ = try body()
      throw error(operation, object, code, message)
    case .neverAnswers:
      await Gate().wait()
      givenUp.append(operation)
      throw error(operation, object, .cancelled, "the call was given up")
    }
  }

  private func takeFault(_ operation: String, _ object: String) -> FakeFault? {
    let index = faults.firstIndex { $0.operation == operation && ($0.object == nil || $0.object == object) && $0.times != 0 }
    guard let index else { return nil }
    if let times = faults[index].times { faults[index].times = times - 1 }
    return faults[index].fault
  }

  private func waitWhileHeld(_ operation: String, _ object: String) async {
    let keys = [HeldKey(operation: operation, object: nil), HeldKey(operation: operation, object: object)]
    while !Task.isCancelled, let key = keys.first(where: heldOperations.contains) {
      let gate = Gate()
      held[key, default: []].append(gate)
      await gate.wait()
    }
  }
}
