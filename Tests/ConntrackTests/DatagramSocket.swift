import CNamespace
import Conntrack
import Glibc
import KubeModel
import ProxyTesting

/// A UDP socket that stays open for the test's time.
final class DatagramSocket {
  private let descriptor: Int32

  init(in namespace: NetworkNamespace, bind address: TransportAddress? = nil, connect peer: TransportAddress? = nil) throws {
    let family = (address ?? peer)?.address.family ?? .v4
    descriptor = try namespace.run {
      let descriptor = socket(family == .v4 ? AF_INET : AF_INET6, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
      guard descriptor >= 0 else { throw SystemError("socket") }
      return descriptor
    }
    if let address, Self.with(address, { Glibc.bind(descriptor, $0, $1) }) != 0 { throw SystemError("bind \(address)") }
    if let peer, Self.with(peer, { Glibc.connect(descriptor, $0, $1) }) != 0 { throw SystemError("connect \(peer)") }
  }

  deinit { close(descriptor) }

  private func patience(milliseconds: Int) {
    var time = timeval(tv_sec: milliseconds / 1000, tv_usec: milliseconds % 1000 * 1000)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
  }

  /// To the peer; refusals of earlier datagrams do not count.
  func send() { for _ in 0..<2 where Glibc.send(descriptor, "?", 1, Int32(MSG_NOSIGNAL)) == 1 { return } }

  /// Sends and waits for the answer; nil: none came.
  func ask(patience milliseconds: Int = 5000) -> String? {
    patience(milliseconds: milliseconds)
    send()
    var buffer = [UInt8](repeating: 0, count: 64)
    let count = recv(descriptor, &buffer, buffer.count, 0)
    return count < 0 ? nil : String(decoding: buffer.prefix(count), as: UTF8.self)
  }

  /// Answers each datagram with `word`, on a thread of its own, until one without content comes.
  func serve(_ word: String) {
    let job = Unmanaged.passRetained(Service(socket: self, word: word))
    var thread = pthread_t()
    pthread_create(
      &thread, nil,
      { argument in
        if let argument { Unmanaged<Service>.fromOpaque(argument).takeRetainedValue().run() }
        return nil
      }, job.toOpaque())
    pthread_detach(thread)
  }

  /// Ends `serve`.
  func shutDown() { Glibc.shutdown(descriptor, Int32(SHUT_RDWR)) }

  private final class Service {
    let socket: DatagramSocket
    let word: String

    init(socket: DatagramSocket, word: String) {
      self.socket = socket
      self.word = word
    }

    func run() {
      var peer = sockaddr_storage()
      var buffer = [UInt8](repeating: 0, count: 64)
      while true {
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let isOver = withUnsafeMutablePointer(to: &peer) { pointer in
          pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
            guard recvfrom(socket.descriptor, &buffer, buffer.count, 0, address, &length) > 0 else { return true }
            _ = sendto(socket.descriptor, word, word.utf8.count, 0, address, length)
            return false
          }
        }
        if isOver { return }
      }
    }
  }

  private static func with<Result>(_ address: TransportAddress, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
    switch address.address.family {
    case .v4:
      var raw = sockaddr_in()
      raw.sin_family = sa_family_t(AF_INET)
      raw.sin_port = address.port.bigEndian
      raw.sin_addr.s_addr = (address.address.v4Bits ?? 0).bigEndian
      return withUnsafePointer(to: raw) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
      }
    case .v6:
      var raw = sockaddr_in6()
      raw.sin6_family = sa_family_t(AF_INET6)
      raw.sin6_port = address.port.bigEndian
      withUnsafeMutableBytes(of: &raw.sin6_addr) { $0.copyBytes(from: address.address.bytes) }
      return withUnsafePointer(to: raw) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in6>.size)) }
      }
    }
  }
}
