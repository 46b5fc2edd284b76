/// The work of a server that is under way, to be waited for at its end.
struct RunningCalls: Sendable {
  private let calls: AsyncStream<Task<Void, Never>>.Continuation
  private let all: Task<Void, Never>

  init() {
    let (stream, continuation) = AsyncStream.makeStream(of: Task<Void, Never>.self)
    calls = continuation
    all = Task {
      await withDiscardingTaskGroup { group in
        for await call in stream { group.addTask { await call.value } }
      }
    }
  }

  func add(_ call: Task<Void, Never>) {
    calls.yield(call)
  }

  /// Returns when every call has ended; none may be added any more.
  func wait() async {
    calls.finish()
    await all.value
  }
}
