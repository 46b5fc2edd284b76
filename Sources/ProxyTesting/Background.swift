import Glibc
import Synchronization

/// A closure at work on an operating system thread of its own.
package final class Background<Value: Sendable>: Sendable {
  private final class Outcome: Sendable {
    let value = Mutex<Result<Value, any Error>?>(nil)
  }

  private let outcome = Outcome()
  private let thread: pthread_t

  package init(_ body: @escaping @Sendable () throws -> Value) throws {
    let outcome = outcome
    let start = ThreadStart {
      let result = Result(catching: body)
      outcome.value.withLock { $0 = result }
    }
    var thread = pthread_t()
    let created = pthread_create(
      &thread, nil,
      { argument in
        if let argument { Unmanaged<ThreadStart>.fromOpaque(argument).takeRetainedValue().body() }
        return nil
      }, Unmanaged.passRetained(start).toOpaque())
    guard created == 0 else { throw SystemError("pthread_create", errno: created) }
    self.thread = thread
  }

  package var isDone: Bool { outcome.value.withLock { $0 != nil } }

  /// To be called once.
  package func join() throws -> Value {
    pthread_join(thread, nil)
    guard let result = outcome.value.withLock({ $0 }) else { throw SystemError("the thread did not run", errno: 0) }
    return try result.get()
  }
}

/// A C function pointer cannot capture generic parameters, so what the thread runs is behind this.
private final class ThreadStart {
  let body: () -> Void
  init(_ body: @escaping () -> Void) { self.body = body }
}
