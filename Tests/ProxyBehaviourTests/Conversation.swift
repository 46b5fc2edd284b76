import Glibc
import ProxyTesting

/// A TCP connection that stays open. Made in the network namespace of the calling thread.
final class Conversation: CustomStringConvertible {
  private(set) var description = ""
  private let socket: Int32

  init(_ address: String, _ port: UInt16, from source: String? = nil) throws {
    let isSix = address.contains(":")
    socket = try Sockets.open(Sockets.tcp, isSix: isSix)
    Sockets.patience(socket, milliseconds: Knock.longPatience)
    if let source {
      guard let own = SocketAddress(source, 0, isSix: isSix), own.with({ bind(socket, $0, $1) }) == 0 else { throw SystemError("bind") }
    }
    guard let target = SocketAddress(address, port, isSix: isSix), target.with({ connect(socket, $0, $1) }) == 0 else {
      throw SystemError("connect to \(address)")
    }
    let greeting = Knock.greeting(socket)
    guard greeting.server != nil else { throw SystemError("greeting") }
    description = "\(address) port \(port) \(greeting)"
  }

  deinit { close(socket) }

  func echoes(_ text: String) -> Bool {
    guard send(socket, text, text.utf8.count, Int32(MSG_NOSIGNAL)) == text.utf8.count else { return false }
    var buffer = [UInt8](repeating: 0, count: 128)
    let count = recv(socket, &buffer, buffer.count, 0)
    return count > 0 && String(decoding: buffer.prefix(count), as: UTF8.self) == text
  }
}
