import Glibc
import ProxyTesting

/// A TCP connection that stays open. Made in the network namespace of the calling thread.
final class Conversation: CustomStringConvertible {
  private(set) var description = ""
  private let socket: Int32

  /// nil clientPort: one that nobody has.
  init(
    _ address: String, _ servicePort: UInt16, from source: String? = nil, clientPort: UInt16? = nil, patience: Int = Knock.longPatience
  ) throws {
    let isSix = address.contains(":")
    socket = try Sockets.open(Sockets.tcp, isSix: isSix)
    Sockets.patience(socket, milliseconds: patience)
    if let clientPort {
      Sockets.set(socket, SOL_SOCKET, SO_REUSEADDR, 1)
      guard try ClientPort.bind(socket, source, clientPort, isSix: isSix) else { throw SystemError("bind to port \(clientPort)") }
    } else {
      try ClientPort.bind(socket, source, isSix: isSix)
    }
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
