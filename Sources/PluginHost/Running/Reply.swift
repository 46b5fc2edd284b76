import Glibc
import Synchronization

/// Resumes a continuation with the first of several answers; later ones are dropped.
final class Reply<Value: Sendable>: Sendable {
  private struct State {
    var continuation: CheckedContinuation<Value, Never>?
    var afterwards: (@Sendable () -> Void)?
  }

  private let state: Mutex<State>

  init(_ continuation: CheckedContinuation<Value, Never>) { state = Mutex(State(continuation: continuation)) }

  func send(_ value: Value) {
    let (continuation, afterwards) = state.withLock { state in
      (state.continuation.take(), state.afterwards.take())
    }
    continuation?.resume(returning: value)
    afterwards?()
  }

  /// Calls `body` once an answer was sent, perhaps at once.
  func whenSent(_ body: @escaping @Sendable () -> Void) {
    let isSent = state.withLock { state in
      guard state.continuation != nil else { return true }
      state.afterwards = body
      return false
    }
    if isSent { body() }
  }
}

/// A counting semaphore a plain thread can wait on.
///
/// `@unchecked Sendable`: a POSIX semaphore is made for several threads; its memory stays in place until `deinit`.
final class Semaphore: @unchecked Sendable {
  private let handle = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

  init() { sem_init(handle, 0, 0) }

  deinit {
    sem_destroy(handle)
    handle.deallocate()
  }

  func signal() { sem_post(handle) }

  func wait() {
    while sem_wait(handle) != 0, errno == EINTR {}
  }
}
