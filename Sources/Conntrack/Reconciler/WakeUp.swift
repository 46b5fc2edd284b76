import CConntrack
import Glibc

/// What a thread waits on until there is something to do.
final class WakeUp: Sendable {
  private let descriptor: Int32

  init() {
    descriptor = eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK))
    precondition(descriptor >= 0, "eventfd: \(String(cString: strerror(errno)))")
  }

  deinit { close(descriptor) }

  func signal() {
    var one: UInt64 = 1
    _ = write(descriptor, &one, 8)
  }

  /// Until the next signal, one that came before included, or until the time is up; `nil`: without end.
  func wait(nanoseconds: Int64?) {
    var polled = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    let milliseconds = nanoseconds.map { Int32(clamping: ($0 + 999_999) / 1_000_000) } ?? -1
    guard poll(&polled, 1, milliseconds) > 0 else { return }
    var count: UInt64 = 0
    _ = read(descriptor, &count, 8)
  }
}
