import Glibc
import PodAgent

/// Tells when the node's addresses or default routes may be others: a thread that sleeps in poll(2) on the kernel's notices.
///
/// Not a task of Swift's pool, which must not block, and not the event loop of the sockets, which knows no netlink.
final class AddressWatch: Sendable {
  private let notices: Int32
  /// Ends the thread when its write end is closed.
  private let stop: Int32
  private let sink: AsyncStream<Void>.Continuation

  /// An element after each change; several in a row may be one. The thread ends when nobody reads the stream any more.
  static func events() throws(SystemError) -> AsyncStream<Void> {
    let notices = try open()
    var ends: [Int32] = [0, 0]
    guard pipe(&ends) == 0 else {
      let cause = errno
      close(notices)
      throw SystemError("pipe", "for the watch of addresses", errno: cause)
    }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    let writeEnd = ends[1]
    continuation.onTermination = { _ in close(writeEnd) }
    let failure = AddressWatch(notices, stop: ends[0], continuation).begin()
    guard failure == 0 else {
      continuation.finish()
      close(notices)
      close(ends[0])
      throw SystemError("pthread_create", "for the watch of addresses", errno: failure)
    }
    return stream
  }

  private init(_ notices: Int32, stop: Int32, _ sink: AsyncStream<Void>.Continuation) {
    self.notices = notices
    self.stop = stop
    self.sink = sink
  }

  private static func open() throws(SystemError) -> Int32 {
    let netlinkRoute: Int32 = 0
    let file = socket(AF_NETLINK, Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue), netlinkRoute)
    guard file >= 0 else { throw SystemError("socket", "AF_NETLINK", errno: errno) }
    // struct sockaddr_nl, which the Glibc module does not show: family, padding, port, groups.
    var name = sockaddr_storage()
    withUnsafeMutableBytes(of: &name) { bytes in
      bytes.storeBytes(of: sa_family_t(AF_NETLINK), as: sa_family_t.self)
      bytes.storeBytes(of: AddressNews.groups, toByteOffset: 8, as: UInt32.self)
    }
    let failed = withUnsafePointer(to: &name) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(file, $0, 12) } }
    guard failed == 0 else {
      let cause = errno
      close(file)
      throw SystemError("bind", "the kernel's notices of addresses", errno: cause)
    }
    return file
  }

  /// The errno of a thread that could not be made.
  private func begin() -> Int32 {
    var thread = pthread_t()
    let this = Unmanaged.passRetained(self)
    let failure = pthread_create(
      &thread, nil,
      { argument in
        if let argument { Unmanaged<AddressWatch>.fromOpaque(argument).takeRetainedValue().work() }
        return nil
      }, this.toOpaque())
    if failure == 0 { pthread_detach(thread) } else { this.release() }
    return failure
  }

  private func work() {
    // Signals are for the threads that wait for them.
    var everything = sigset_t()
    sigfillset(&everything)
    pthread_sigmask(SIG_SETMASK, &everything, nil)
    defer {
      sink.finish()
      close(notices)
      close(stop)
    }
    var buffer = [UInt8](repeating: 0, count: 1 << 15)
    while true {
      var polls = [pollfd(fd: stop, events: Int16(POLLIN), revents: 0), pollfd(fd: notices, events: Int16(POLLIN), revents: 0)]
      guard poll(&polls, 2, -1) > 0 else {
        if errno == EINTR { continue }
        return
      }
      if polls[0].revents != 0 { return }
      switch read(&buffer) {
      case .some(true): sink.yield()
      case .some(false): continue
      case nil: return
      }
    }
  }

  /// Reads everything there is; whether it concerns addresses, `nil` when the socket is broken.
  private func read(_ buffer: inout [UInt8]) -> Bool? {
    var isNews = false
    while true {
      let count = recv(notices, &buffer, buffer.count, 0)
      if count > 0 {
        isNews = isNews || AddressNews.concerns(buffer.prefix(count))
        continue
      }
      guard count < 0 else { return isNews }
      switch errno {
      case EAGAIN: return isNews
      case EINTR: continue
      // The kernel dropped some: whatever they said is looked at afresh.
      case ENOBUFS: isNews = true
      default: return nil
      }
    }
  }
}
