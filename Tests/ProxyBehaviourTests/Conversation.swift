import Glibc
import ProxyTesting
import Synchronization

/// A TCP connection that stays open. Made in the network namespace of the calling thread.
final class Conversation: CustomStringConvertible {
  private(set) var description = ""
  private let socket: Int32
  private static let nextPort = Mutex<UInt16>(20_999)

  init(_ address: String, _ servicePort: UInt16, from source: String? = nil) throws {
    let isSix = address.contains(":")
    socket = try Sockets.open(Sockets.tcp, isSix: isSix)
    Sockets.patience(socket, milliseconds: Knock.longPatience)
    // From ports the kernel chooses for nobody: IPVS knows what an endpoint sends by client and endpoint alone, so a client whose
    // port comes by a second front end to the same endpoint takes the first one's replies (ip_vs_conn_out_get, kernel 6.1).
    let port = Self.nextPort.withLock { next in
      next = next == 28_999 ? 21_000 : next + 1
      return next
    }
    guard let own = SocketAddress(source, port, isSix: isSix), own.with({ bind(socket, $0, $1) }) == 0 else { throw SystemError("bind") }
    guard let target = SocketAddress(address, servicePort, isSix: isSix), target.with({ connect(socket, $0, $1) }) == 0 else {
      throw SystemError("connect to \(address)")
    }
    let greeting = Knock.greeting(socket)
    guard greeting.server != nil else { throw SystemError("greeting") }
    description = "\(address) port \(servicePort) \(greeting)"
  }

  deinit { close(socket) }

  func echoes(_ text: String) -> Bool {
    guard send(socket, text, text.utf8.count, Int32(MSG_NOSIGNAL)) == text.utf8.count else { return false }
    var buffer = [UInt8](repeating: 0, count: 128)
    let count = recv(socket, &buffer, buffer.count, 0)
    return count > 0 && String(decoding: buffer.prefix(count), as: UTF8.self) == text
  }
}
