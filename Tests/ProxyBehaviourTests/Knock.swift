import Glibc
import ProxyTesting
import Synchronization

/// What came of one attempt to reach a service.
enum Knock: Equatable, Sendable, CustomStringConvertible {
  /// By the endpoint of that label, which saw the client under that address.
  case answered(by: String, sawClient: String)
  case refused
  case silent
  /// After the first packets had come through.
  case reset
  case failed(String)

  static let longPatience = 6000
  /// Silence is believed after this.
  static let shortPatience = isVirtualMachineRing ? 900 : 300

  /// Connects (or sends a datagram) and waits for the greeting. Runs in the network namespace of the calling thread.
  static func once(_ proto: UInt8, _ address: String, _ port: UInt16, from source: String? = nil, patience: Int = longPatience) -> Knock {
    let isSix = address.contains(":")
    if proto == Sockets.sctp { return association(address, port, from: source, isSix: isSix, patience: patience) }
    guard let target = SocketAddress(address, port, isSix: isSix), let socket = try? Sockets.open(proto, isSix: isSix) else {
      return .failed("no socket")
    }
    defer { close(socket) }
    Sockets.patience(socket, milliseconds: patience)
    do { try ClientPort.bind(socket, source, isSix: isSix) } catch { return .failed(error.description) }
    guard target.with({ connect(socket, $0, $1) }) == 0 else { return outcome(errno) }
    // A datagram that is refused on its way out of this machine is an EPERM here; whether it was refused or dropped, the
    // socket's next error tells.
    if proto == Sockets.udp, send(socket, "?", 1, 0) != 1, errno != EPERM { return outcome(errno) }
    return greeting(socket)
  }

  private static func bindSource(_ socket: Int32, _ source: String?, _ isSix: Bool) -> Knock? {
    guard let source else { return nil }
    guard let address = SocketAddress(source, 0, isSix: isSix), address.with({ bind(socket, $0, $1) }) == 0 else {
      return .failed("bind to \(source): \(String(cString: strerror(errno)))")
    }
    return nil
  }

  static func greeting(_ socket: Int32) -> Knock {
    var buffer = [UInt8](repeating: 0, count: 128)
    let count = recv(socket, &buffer, buffer.count, 0)
    if count == 0 { return .failed("closed without an answer") }
    if count < 0 { return outcome(errno) }
    return answer(String(decoding: buffer.prefix(count), as: UTF8.self))
  }

  private static func answer(_ text: String) -> Knock {
    let words = text.split(whereSeparator: \.isWhitespace).map(String.init)
    guard words.count == 2 else { return .failed("strange answer \(text)") }
    return .answered(by: words[0], sawClient: words[1])
  }

  private static let sctpPort = Mutex<UInt16>(20_000)

  private static func association(_ address: String, _ port: UInt16, from source: String?, isSix: Bool, patience: Int) -> Knock {
    // A raw socket's port is a protocol number or nothing.
    guard let target = SocketAddress(address, 0, isSix: isSix), let socket = try? Sockets.openRaw(Sockets.sctp, isSix: isSix) else {
      return .failed("no socket")
    }
    defer { close(socket) }
    Sockets.patience(socket, milliseconds: patience)
    if let fault = bindSource(socket, source, isSix) { return fault }
    guard target.with({ connect(socket, $0, $1) }) == 0 else { return outcome(errno) }
    let sourcePort = sctpPort.withLock { port in
      port = port == 29_999 ? 20_000 : port + 1
      return port
    }
    let request = SCTPPacket(sourcePort: sourcePort, port: port, chunk: .initiate, tag: UInt32.random(in: 1...UInt32.max))
    let bytes = request.bytes
    if send(socket, bytes, bytes.count, 0) != bytes.count, errno != EPERM { return outcome(errno) }
    var buffer = [UInt8](repeating: 0, count: 512)
    while true {
      let count = recv(socket, &buffer, buffer.count, 0)
      if count < 0 { return outcome(errno) }
      // IPv4 raw sockets see the IP header, which has no options here.
      guard let reply = SCTPPacket(buffer.prefix(count).dropFirst(isSix ? 0 : 20)) else { continue }
      if reply.chunk == .initiateAcknowledge, reply.port == sourcePort, reply.sourcePort == port, reply.verification == request.tag {
        return answer(reply.text)
      }
    }
  }

  private static func outcome(_ code: Int32) -> Knock {
    switch code {
    case ECONNREFUSED: .refused
    case ECONNRESET: .reset
    case ETIMEDOUT, EAGAIN, EINPROGRESS: .silent
    default: .failed(String(cString: strerror(code)))
    }
  }

  var server: String? {
    if case .answered(let name, _) = self { name } else { nil }
  }

  var description: String {
    switch self {
    case .answered(let label, let client): "answered by \(label), which saw \(client)"
    case .refused: "refused"
    case .silent: "silence"
    case .reset: "reset"
    case .failed(let words): words
    }
  }
}

extension Topology {
  /// One connection, datagram or association.
  func knock(from vantage: Vantage, _ proto: UInt8, _ address: String, _ port: UInt16, patience: Int = Knock.longPatience) throws -> Knock {
    let source = vantage.source(.of(address.contains(":") ? 6 : 4))
    return try namespace(vantage).run { Knock.once(proto, address, port, from: source, patience: patience) }
  }

  func knock(_ times: Int, from vantage: Vantage, _ proto: UInt8, _ address: String, _ port: UInt16) throws -> [Knock] {
    let source = vantage.source(.of(address.contains(":") ? 6 : 4))
    return try namespace(vantage).run { (0..<times).map { _ in Knock.once(proto, address, port, from: source) } }
  }

  struct Turned: Error, CustomStringConvertible {
    let description: String
    init(away client: String, from address: String, _ knock: Knock) { description = "\(client) knocks at \(address): \(knock)" }
  }

  /// Whom each of the guests outside reaches; throws when one reaches nobody.
  func guests(_ proto: UInt8, _ plan: Plan, _ address: String, _ port: UInt16) throws -> [Knock] {
    try outside.run {
      try (0..<Plan.guests).map { number in
        let knock = Knock.once(proto, address, port, from: plan.guest(number))
        guard knock.server != nil else { throw Turned(away: plan.guest(number), from: address, knock) }
        return knock
      }
    }
  }
}
