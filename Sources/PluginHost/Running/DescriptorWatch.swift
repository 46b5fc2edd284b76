import Glibc
import Synchronization

/// Tells when a plugin's descriptor becomes readable, without reading it: a thread that sleeps in poll(2).
///
/// Not a task of Swift's pool, which must not block, and not the event loop of the sockets, which wants to own what it polls.
final class DescriptorWatch: Sendable {
  private let descriptor: Int32
  /// Ends the thread when its write end is closed.
  private let stop: (read: Int32, write: Int32)
  private let sink: AsyncStream<Void>.Continuation
  /// What is readable stays so until the plugin has read it; the thread asks again only after a pause, so that a plugin that
  /// is slow to read costs four wake-ups a second and not a processor.
  private static let pause: Int32 = 250

  /// An element each time the descriptor is readable; the caller reads it empty through the plugin. The thread ends when
  /// nobody reads the stream any more.
  static func events(of descriptor: Int32) -> AsyncStream<Void>? {
    var ends: [Int32] = [0, 0]
    guard pipe(&ends) == 0 else { return nil }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    let watch = DescriptorWatch(descriptor, stop: (ends[0], ends[1]), continuation)
    let writeEnd = ends[1]
    continuation.onTermination = { _ in close(writeEnd) }
    guard watch.begin() else {
      continuation.finish()
      close(ends[0])
      return nil
    }
    return stream
  }

  private init(_ descriptor: Int32, stop: (read: Int32, write: Int32), _ sink: AsyncStream<Void>.Continuation) {
    self.descriptor = descriptor
    self.stop = stop
    self.sink = sink
  }

  private func begin() -> Bool {
    var thread = pthread_t()
    let created = pthread_create(
      &thread, nil,
      { argument in
        if let argument { Unmanaged<DescriptorWatch>.fromOpaque(argument).takeRetainedValue().work() }
        return nil
      }, Unmanaged.passRetained(self).toOpaque())
    guard created == 0 else {
      Unmanaged.passUnretained(self).release()
      return false
    }
    pthread_detach(thread)
    return true
  }

  private func work() {
    // Signals are for the threads that wait for them.
    var everything = sigset_t()
    sigfillset(&everything)
    pthread_sigmask(SIG_SETMASK, &everything, nil)
    defer {
      sink.finish()
      close(stop.read)
    }
    while true {
      var polls = [pollfd(fd: stop.read, events: Int16(POLLIN), revents: 0), pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)]
      guard poll(&polls, 2, -1) > 0 else {
        if errno == EINTR { continue }
        return
      }
      if polls[0].revents != 0 || polls[1].revents & Int16(POLLNVAL) != 0 { return }
      sink.yield()
      var ending = pollfd(fd: stop.read, events: Int16(POLLIN), revents: 0)
      if poll(&ending, 1, Self.pause) > 0 { return }
    }
  }
}
