import Glibc
import ProxyTesting

/// What came of one attempt to reach a service.
enum Knock: Equatable {
  /// By the server of that name, which saw the client under that address.
  case answered(by: String, sawClient: String)
  case refused
  case silent
  case failed(String)

  /// Connects (or sends a datagram) and waits for the greeting. Runs in the network namespace of the calling thread.
  static func once(_ proto: UInt8, _ address: String, _ port: UInt16, patience: Int = 3000) -> Knock {
    let isSix = address.contains(":")
    guard let target = SocketAddress(address, port, isSix: isSix), let socket = try? Sockets.open(proto, isSix: isSix) else {
      return .failed("no socket")
    }
    defer { close(socket) }
    Sockets.patience(socket, milliseconds: patience)
    guard target.with({ connect(socket, $0, $1) }) == 0 else { return outcome(errno) }
    // A datagram that is refused on its way out of this machine is an EPERM here; whether it was refused or dropped, the
    // socket's next error tells.
    if proto == Sockets.udp, send(socket, "?", 1, 0) != 1, errno != EPERM { return outcome(errno) }
    return greeting(socket)
  }

  static func greeting(_ socket: Int32) -> Knock {
    var buffer = [UInt8](repeating: 0, count: 128)
    let count = recv(socket, &buffer, buffer.count, 0)
    if count == 0 { return .failed("closed without an answer") }
    if count < 0 { return outcome(errno) }
    let words = String(decoding: buffer.prefix(count), as: UTF8.self).split(whereSeparator: \.isWhitespace).map(String.init)
    guard words.count == 2 else { return .failed("strange answer") }
    return .answered(by: words[0], sawClient: words[1])
  }

  private static func outcome(_ code: Int32) -> Knock {
    switch code {
    case ECONNREFUSED: .refused
    case ETIMEDOUT, EAGAIN, EINPROGRESS: .silent
    default: .failed(String(cString: strerror(code)))
    }
  }

  var server: String? {
    if case .answered(let name, _) = self { name } else { nil }
  }

  var sawClient: String? {
    if case .answered(_, let address) = self { address } else { nil }
  }
}
