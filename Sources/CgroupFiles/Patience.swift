import Glibc
import PluginKit

/// Waiting that ends: short pauses that grow from half a millisecond to 20 ms, until a limit is reached or the host wants
/// the call to end.
package struct Patience {
  private let host: HostServices
  private let deadline: UInt64
  private var nanoseconds = 500_000

  /// The limit counts from here.
  package init(_ limit: Duration, host: HostServices) {
    self.host = host
    let parts = limit.components
    let nanoseconds = UInt64(max(0, parts.seconds)) * 1_000_000_000 + UInt64(max(0, parts.attoseconds) / 1_000_000_000)
    deadline = Self.now() &+ nanoseconds
  }

  package var isOver: Bool { Self.now() >= deadline }

  /// - Throws: `.cancelled` when the host wants the call to end.
  package func checkCancelled() throws(BackendFault) {
    if host.isCancelled { throw BackendFault(.cancelled, "the call was cancelled") }
  }

  /// - Parameter wait: waits up to the milliseconds given, or shorter when something happens; a plain pause when `nil`.
  /// - Returns: `false` when the time is over.
  /// - Throws: `.cancelled` when the host wants the call to end.
  package mutating func pause(_ wait: ((Int32) -> Void)? = nil) throws(BackendFault) -> Bool {
    try checkCancelled()
    if isOver { return false }
    if let wait {
      wait(20)
    } else {
      var time = timespec(tv_sec: 0, tv_nsec: nanoseconds)
      nanosleep(&time, nil)
      nanoseconds = min(nanoseconds * 2, 20_000_000)
    }
    return true
  }

  private static func now() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }
}
