import Glibc
import Synchronization
import Testing

/// Runs the tests of a suite on four threads that are there for nothing else: for tests that wait inside of the kernel.
///
/// Swift has one thread for each processor, meant for work that never blocks. Two tests that wait for a packet would stop all others,
/// whose deadlines go by meanwhile, and one that waits for what another task has to do would wait for ever.
package struct BlockingThreads: SuiteTrait, TestTrait, TestScoping {
  package var isRecursive: Bool { true }

  package func provideScope(for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void) async throws {
    try await withTaskExecutorPreference(BlockingExecutor.shared) { try await function() }
  }
}

extension Trait where Self == BlockingThreads {
  package static var blocking: Self { BlockingThreads() }
}

private final class BlockingExecutor: TaskExecutor {
  static let shared = BlockingExecutor()

  private let jobs = Mutex<[UnownedJob]>([])
  /// Counts the jobs. Never freed: the threads end with the process.
  private let waiting: Semaphore

  /// A semaphore may be used by all threads at once.
  private struct Semaphore: @unchecked Sendable {
    let handle: UnsafeMutablePointer<sem_t>
  }

  private init() {
    waiting = Semaphore(handle: .allocate(capacity: 1))
    sem_init(waiting.handle, 0, 0)
    for _ in 0..<4 { start() }
  }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    jobs.withLock { $0.append(job) }
    sem_post(waiting.handle)
  }

  private func start() {
    var thread = pthread_t()
    let failure = pthread_create(
      &thread, nil,
      { argument in
        if let argument { Unmanaged<BlockingExecutor>.fromOpaque(argument).takeUnretainedValue().work() }
        return nil
      }, Unmanaged.passRetained(self).toOpaque())
    precondition(failure == 0, "pthread_create: \(String(cString: strerror(failure)))")
    pthread_detach(thread)
  }

  private func work() {
    while true {
      while sem_wait(waiting.handle) != 0, errno == EINTR {}
      let job = jobs.withLock { $0.isEmpty ? nil : $0.removeFirst() }
      job?.runSynchronously(on: asUnownedTaskExecutor())
    }
  }
}
