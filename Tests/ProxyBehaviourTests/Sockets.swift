import Glibc
import ProxyTesting

/// An internet socket address in the form the system calls take.
struct SocketAddress {
  private var storage = sockaddr_storage()
  let length: socklen_t

  /// nil text: any address.
  init?(_ text: String?, _ port: UInt16, isSix: Bool) {
    if isSix {
      var address = sockaddr_in6()
      address.sin6_family = sa_family_t(AF_INET6)
      address.sin6_port = port.bigEndian
      if let text, inet_pton(AF_INET6, text, &address.sin6_addr) != 1 { return nil }
      length = socklen_t(MemoryLayout<sockaddr_in6>.size)
      withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: address, as: sockaddr_in6.self) }
    } else {
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_port = port.bigEndian
      if let text, inet_pton(AF_INET, text, &address.sin_addr) != 1 { return nil }
      length = socklen_t(MemoryLayout<sockaddr_in>.size)
      withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: address, as: sockaddr_in.self) }
    }
  }

  func with<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
    withUnsafePointer(to: storage) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) } }
  }

  /// The address of a peer as text.
  static func text(_ storage: sockaddr_storage) -> String {
    var buffer = [CChar](repeating: 0, count: 64)
    withUnsafeBytes(of: storage) { bytes in
      let family = Int32(storage.ss_family)
      // Offsets of sin6_addr and sin_addr.
      if let base = bytes.baseAddress { _ = inet_ntop(family, base + (family == AF_INET6 ? 8 : 4), &buffer, socklen_t(buffer.count)) }
    }
    return String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
}

enum Sockets {
  static let tcp: UInt8 = 6
  static let udp: UInt8 = 17
  static let sctp: UInt8 = 132

  static func name(_ proto: UInt8) -> String {
    switch proto {
    case tcp: "TCP"
    case udp: "UDP"
    default: "SCTP"
    }
  }

  static func open(_ proto: UInt8, isSix: Bool) throws -> Int32 {
    let kind = proto == udp ? Int32(SOCK_DGRAM.rawValue) : Int32(SOCK_STREAM.rawValue)
    return try open(proto, kind: kind, isSix: isSix)
  }

  static func openRaw(_ proto: UInt8, isSix: Bool) throws -> Int32 { try open(proto, kind: Int32(SOCK_RAW.rawValue), isSix: isSix) }

  private static func open(_ proto: UInt8, kind: Int32, isSix: Bool) throws -> Int32 {
    let descriptor = socket(isSix ? AF_INET6 : AF_INET, kind | Int32(SOCK_CLOEXEC.rawValue), Int32(proto))
    guard descriptor >= 0 else { throw SystemError("socket(\(proto))") }
    return descriptor
  }

  static func set(_ descriptor: Int32, _ level: Int32, _ option: Int32, _ value: Int32) {
    var value = value
    setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
  }

  static func patience(_ descriptor: Int32, milliseconds: Int) {
    var time = timeval(tv_sec: milliseconds / 1000, tv_usec: milliseconds % 1000 * 1000)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
  }
}
