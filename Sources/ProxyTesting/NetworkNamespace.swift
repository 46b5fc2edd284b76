import CNamespace
import Glibc

/// A network namespace without a name: it goes when this object, the threads in it and the interfaces into it are gone,
/// also when the test process is killed.
///
/// `@unchecked Sendable`: holds one file descriptor that never changes.
package final class NetworkNamespace: @unchecked Sendable {
  private let descriptor: Int32

  package init() throws {
    descriptor = try OnThread.run {
      guard unshare(SWL_CLONE_NEWNET) == 0 else { throw SystemError("unshare(CLONE_NEWNET)") }
      let descriptor = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)
      guard descriptor >= 0 else { throw SystemError("open the network namespace") }
      return descriptor
    }
    try Command.run("ip", "link", "set", "lo", "up", in: self)
  }

  deinit { close(descriptor) }

  /// A path other processes can name the namespace by.
  package var path: String { "/proc/\(getpid())/fd/\(descriptor)" }

  /// Runs on a thread of its own inside the namespace and waits for it; sockets made there stay there.
  package func run<Result>(_ body: () throws -> Result) throws -> Result {
    try OnThread.run {
      guard setns(self.descriptor, SWL_CLONE_NEWNET) == 0 else { throw SystemError("setns") }
      return try body()
    }
  }

  /// Writes a setting below /proc/sys; those below net belong to the namespace.
  package func setting(_ path: String, _ value: String) throws {
    try run {
      let file = open("/proc/sys/" + path, O_WRONLY | O_CLOEXEC)
      guard file >= 0 else { throw SystemError("open \(path)") }
      defer { close(file) }
      guard write(file, value, value.utf8.count) == value.utf8.count else { throw SystemError("write \(path)") }
    }
  }
}

/// A failed system call, with its words.
package struct SystemError: Error, CustomStringConvertible {
  package let operation: String
  package let errno: Int32

  package init(_ operation: String, errno: Int32 = Glibc.errno) {
    self.operation = operation
    self.errno = errno
  }

  package var description: String { "\(operation): \(String(cString: strerror(errno)))" }
}

/// Runs one closure on a fresh operating system thread, so that what it does to its thread goes with it.
package enum OnThread {
  private final class Job {
    let work: () -> Void
    init(_ work: @escaping () -> Void) { self.work = work }
  }

  package static func run<Result>(_ body: () throws -> Result) throws -> Result {
    var outcome: Swift.Result<Result, any Error> = .failure(SystemError("the thread did not run", errno: 0))
    try withoutActuallyEscaping(body) { body in
      let job = Job { outcome = Swift.Result(catching: body) }
      var thread = pthread_t()
      let created = pthread_create(
        &thread, nil,
        { argument in
          if let argument { Unmanaged<Job>.fromOpaque(argument).takeUnretainedValue().work() }
          return nil
        }, Unmanaged.passUnretained(job).toOpaque())
      guard created == 0 else { throw SystemError("pthread_create", errno: created) }
      pthread_join(thread, nil)
      withExtendedLifetime(job) {}
    }
    return try outcome.get()
  }
}
