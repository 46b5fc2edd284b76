import Glibc
import Synchronization

/// A peer that is no runtime at all: it accepts on a unix socket, sends the bytes it was given, and then keeps the
/// connection or closes it. For what a client makes of rubbish, and of a peer that accepts and says nothing.
public final class RawSocketServer: Sendable {
  public let path: String
  private let listener: Int32
  private let connections = Mutex<[Int32]>([])

  public struct Failure: Error, CustomStringConvertible {
    public let operation: String
    public let errno: Int32
    public var description: String { "\(operation): \(String(cString: strerror(errno))) (errno \(errno))" }
  }

  /// - Parameters:
  ///   - greeting: sent to each peer once it is accepted.
  ///   - closes: closes the connection after the greeting.
  public init(path: String, greeting: [UInt8], closes: Bool) throws(Failure) {
    self.path = path
    listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard listener >= 0 else { throw Failure(operation: "socket", errno: errno) }
    unlink(path)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let bound = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
    }
    guard bound == 0 else { throw Failure(operation: "bind \(path)", errno: errno) }
    guard listen(listener, 16) == 0 else { throw Failure(operation: "listen", errno: errno) }
    start(greeting: greeting, closes: closes)
  }

  /// A thread of its own: accept(2) blocks. It ends when `stop` shuts the listener down.
  private func start(greeting: [UInt8], closes: Bool) {
    let work = Work { [self] in
      while true {
        let peer = accept(listener, nil, nil)
        if peer < 0, errno == EINTR { continue }
        guard peer >= 0 else { return }
        _ = fcntl(peer, F_SETFD, FD_CLOEXEC)
        _ = greeting.withUnsafeBytes { send(peer, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        if closes { Self.hangUp(peer) } else { connections.withLock { $0.append(peer) } }
      }
    }
    var thread = pthread_t()
    pthread_create(
      &thread, nil,
      { context in
        guard let context else { return nil }
        Unmanaged<Work>.fromOpaque(context).takeRetainedValue().body()
        return nil
      }, Unmanaged.passRetained(work).toOpaque())
    pthread_detach(thread)
  }

  private final class Work: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }

  public func stop() {
    shutdown(listener, Int32(SHUT_RDWR))
    connections.withLock { open in
      for connection in open { Self.hangUp(connection) }
      open = []
    }
  }

  /// A child that is just being started may hold the descriptor too, and closing ours would end nothing.
  private static func hangUp(_ connection: Int32) {
    shutdown(connection, Int32(SHUT_RDWR))
    close(connection)
  }

  deinit { close(listener) }
}
