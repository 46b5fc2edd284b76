import CIPVS
import Glibc
import PluginKit

/// The network namespace the backend was started in. Sockets stay in theirs; children and files below /proc/sys follow the
/// thread, and the host promises no thread.
///
/// `@unchecked Sendable`: holds one file descriptor that never changes.
package final class NetworkScope: @unchecked Sendable {
  private let descriptor: Int32
  private let inode: UInt64

  /// Of the calling thread.
  package init() throws(BackendFault) {
    descriptor = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Failure.fault("open the network namespace", errno: errno) }
    inode = Self.inode()
  }

  deinit { close(descriptor) }

  /// Runs in the namespace: at once when the calling thread is in it, else on a thread of its own.
  package func run<Result>(_ body: () throws(BackendFault) -> Result) throws(BackendFault) -> Result {
    if Self.inode() == inode { return try body() }
    return try Self.onThread { () throws(BackendFault) in
      guard setns(self.descriptor, SWL_CLONE_NEWNET) == 0 else { throw Failure.fault("enter the network namespace", errno: errno) }
      return try body()
    }
  }

  /// Runs in a fresh namespace that is gone afterwards, with everything made in it.
  package static func trial<Result>(_ body: () throws(BackendFault) -> Result) throws(BackendFault) -> Result {
    try onThread { () throws(BackendFault) in
      guard unshare(SWL_CLONE_NEWNET) == 0 else { throw Failure.fault("make a network namespace for trials", errno: errno) }
      return try body()
    }
  }

  private static func inode() -> UInt64 {
    var status = stat()
    return stat("/proc/thread-self/ns/net", &status) == 0 ? UInt64(status.st_ino) : 0
  }

  private final class Job {
    let work: () -> Void
    init(_ work: @escaping () -> Void) { self.work = work }
  }

  private static func onThread<Value>(_ body: () throws(BackendFault) -> Value) throws(BackendFault) -> Value {
    var outcome: Result<Value, BackendFault> = .failure(BackendFault(.internal, "the thread did not run"))
    withoutActuallyEscaping(body) { body in
      let job = Job {
        do throws(BackendFault) { outcome = .success(try body()) } catch { outcome = .failure(error) }
      }
      var thread = pthread_t()
      let created = pthread_create(
        &thread, nil,
        { argument in
          if let argument { Unmanaged<Job>.fromOpaque(argument).takeUnretainedValue().work() }
          return nil
        }, Unmanaged.passUnretained(job).toOpaque())
      if created == 0 {
        pthread_join(thread, nil)
      } else {
        outcome = .failure(Failure.fault("make a thread", errno: created))
      }
      withExtendedLifetime(job) {}
    }
    return try outcome.get()
  }
}
