import Glibc
import Synchronization

/// Runs work that may block in the kernel (a stat on a hung network mount) on a thread of its own, with a deadline.
///
/// The thread cannot be taken back from the kernel: past the deadline the caller goes on with an error and the thread ends
/// whenever the kernel lets it. The pod concerned waits; no other does.
public enum BlockingCall {
  public struct DeadlineExceeded: Error, Sendable, CustomStringConvertible {
    public var operation: String
    public var limit: Duration

    public var description: String { "\(operation): no answer from the kernel within \(limit)" }
  }

  public static func run<T: Sendable>(
    _ operation: String, within limit: Duration, _ body: @escaping @Sendable () throws -> T
  ) async throws -> T {
    let once = Once<T>()
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<T, any Error>) in
        once.set(continuation)
        start(operation, limit, once, body)
      }
    } onCancel: {
      once.resume(with: .failure(CancellationError()))
    }
  }

  private static func start<T: Sendable>(
    _ operation: String, _ limit: Duration, _ once: Once<T>, _ body: @escaping @Sendable () throws -> T
  ) {
    let timer = Task {
      try await Task.sleep(for: limit)
      once.resume(with: .failure(DeadlineExceeded(operation: operation, limit: limit)))
    }
    let job = Job {
      let result = Result { try body() }
      timer.cancel()
      once.resume(with: result)
    }
    if let failure = job.start() {
      timer.cancel()
      once.resume(with: .failure(SystemError("pthread_create", operation, errno: failure)))
    }
  }

  /// Resumes a continuation the first time and ignores the rest. The result may come before the continuation: the task was
  /// cancelled already.
  private final class Once<T: Sendable>: Sendable {
    private enum State {
      case empty
      case waiting(CheckedContinuation<T, any Error>)
      case early(Result<T, any Error>)
      case done
    }

    private let state = Mutex(State.empty)

    func set(_ continuation: CheckedContinuation<T, any Error>) {
      let early: Result<T, any Error>? = state.withLock { state in
        if case .early(let result) = state {
          state = .done
          return result
        }
        state = .waiting(continuation)
        return nil
      }
      if let early { continuation.resume(with: early) }
    }

    func resume(with result: Result<T, any Error>) {
      let waiting: CheckedContinuation<T, any Error>? = state.withLock { state in
        switch state {
        case .empty:
          state = .early(result)
          return nil
        case .waiting(let continuation):
          state = .done
          return continuation
        case .early, .done:
          return nil
        }
      }
      waiting?.resume(with: result)
    }
  }

  private final class Job: Sendable {
    let body: @Sendable () -> Void

    init(_ body: @escaping @Sendable () -> Void) { self.body = body }

    /// - Returns: an errno when no thread could be made.
    func start() -> Int32? {
      var thread = pthread_t()
      let retained = Unmanaged.passRetained(self)
      let failure = pthread_create(
        &thread, nil,
        { argument in
          guard let argument else { return nil }
          let job = Unmanaged<Job>.fromOpaque(argument).takeRetainedValue()
          job.body()
          return nil
        }, retained.toOpaque())
      guard failure != 0 else {
        pthread_detach(thread)
        return nil
      }
      retained.release()
      return failure
    }
  }
}
