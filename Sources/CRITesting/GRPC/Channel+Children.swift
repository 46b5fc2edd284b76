import Glibc
import NIOCore

/// NIO's sockets are not closed on exec: without this a child of another suite would keep them open.
extension Channel {
  /// On its event loop.
  func keepFromChildren() throws {
    let transport = NIOBSDSocket.Handle.self
    _ = try pipeline.syncOperations.withUnsafeTransportIfAvailable(of: transport) { fcntl($0, F_SETFD, FD_CLOEXEC) }
  }

  /// Closes it in the middle of whatever it carries, also where a child that is just being started has it too.
  func hangUp() async {
    eventLoop.execute {
      let transport = NIOBSDSocket.Handle.self
      _ = try? self.pipeline.syncOperations.withUnsafeTransportIfAvailable(of: transport) { shutdown($0, Int32(SHUT_RDWR)) }
      self.close(promise: nil)
    }
    try? await closeFuture.get()
  }
}
