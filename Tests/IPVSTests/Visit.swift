import Glibc
import ProxyTesting

/// What came of one attempt to reach a service: who answered and whom it saw, or "refused", or "silent".
struct Visit: Hashable, CustomStringConvertible {
  var server: String
  var sawClient = ""
  var description: String { sawClient.isEmpty ? server : "\(server) saw \(sawClient)" }

  /// Milliseconds for who expects silence, which takes all of them.
  static let shortPatience = 1500

  /// Runs in the network namespace of the calling thread.
  static func once(_ address: String, _ port: UInt16, udp: Bool, patience: Int) -> Visit {
    let stream = SocketStream(address, port, udp: udp, patience: patience)
    guard stream.error == 0 else { return Visit(server: stream.verdict) }
    if udp { stream.write("?") }
    guard let words = stream.read()?.split(separator: " ").map(String.init), words.count == 2 else { return Visit(server: stream.verdict) }
    return Visit(server: words[0], sawClient: words[1])
  }
}

/// A connected socket.
final class SocketStream {
  private let descriptor: Int32
  private(set) var error: Int32 = 0

  init(_ address: String, _ port: UInt16, udp: Bool = false, patience: Int = 10_000) {
    let isSix = address.contains(":")
    let kind = udp ? Int32(SOCK_DGRAM.rawValue) : Int32(SOCK_STREAM.rawValue)
    descriptor = socket(isSix ? AF_INET6 : AF_INET, kind | Int32(SOCK_CLOEXEC.rawValue), 0)
    var time = timeval(tv_sec: patience / 1000, tv_usec: patience % 1000 * 1000)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
    if SocketAddresses.with(address, port, { connect(descriptor, $0, $1) }) != 0 { error = errno }
  }

  deinit { close(descriptor) }

  var verdict: String {
    switch error {
    case ECONNREFUSED: "refused"
    case ETIMEDOUT, EAGAIN, EINPROGRESS: "silent"
    case 0: "closed"
    default: String(cString: strerror(error))
    }
  }

  func write(_ text: String) { if send(descriptor, text, text.utf8.count, Int32(MSG_NOSIGNAL)) < 0, errno != EPERM { error = errno } }

  func read() -> String? {
    var buffer = [UInt8](repeating: 0, count: 128)
    let count = recv(descriptor, &buffer, buffer.count, 0)
    if count < 0 { error = errno }
    return count > 0 ? String(decoding: buffer.prefix(count), as: UTF8.self) : nil
  }

  func echoes(_ text: String) -> Bool {
    write(text)
    return read() == text
  }
}

enum SocketAddresses {
  static func with(_ text: String?, _ port: UInt16, isSix: Bool? = nil, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
    if isSix ?? (text?.contains(":") == true) {
      var address = sockaddr_in6()
      address.sin6_family = sa_family_t(AF_INET6)
      address.sin6_port = port.bigEndian
      if let text { inet_pton(AF_INET6, text, &address.sin6_addr) }
      return withUnsafePointer(to: address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in6>.size)) }
      }
    }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    if let text { inet_pton(AF_INET, text, &address.sin_addr) }
    return withUnsafePointer(to: address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
    }
  }

  static func text(_ storage: sockaddr_storage) -> String {
    var buffer = [CChar](repeating: 0, count: 64)
    withUnsafeBytes(of: storage) { bytes in
      let family = Int32(storage.ss_family)
      if let base = bytes.baseAddress { _ = inet_ntop(family, base + (family == AF_INET6 ? 8 : 4), &buffer, socklen_t(buffer.count)) }
    }
    return String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
}

/// Says its name and the client's address to each TCP connection and datagram, then echoes what a connection sends.
///
/// `@unchecked Sendable`: the sockets belong to the thread, which ends when the pipe is closed; the rest never changes.
final class Greeter: @unchecked Sendable {
  private let name: String
  private let wake: (read: Int32, write: Int32)
  private var listeners: [(descriptor: Int32, isStream: Bool)] = []
  private var thread = pthread_t()

  init(_ name: String, in namespace: NetworkNamespace, port: UInt16) throws {
    self.name = name
    var pipe: [Int32] = [0, 0]
    guard Glibc.pipe(&pipe) == 0 else { throw SystemError("pipe") }
    wake = (pipe[0], pipe[1])
    listeners = try namespace.run { try Self.listen(port) }
    pthread_create(
      &thread, nil,
      { argument in
        if let argument { Unmanaged<Greeter>.fromOpaque(argument).takeRetainedValue().serve() }
        return nil
      }, Unmanaged.passRetained(self).toOpaque())
  }

  func stop() {
    close(wake.write)
    pthread_join(thread, nil)
  }

  private static func listen(_ port: UInt16) throws -> [(Int32, Bool)] {
    try [(false, true), (false, false), (true, true), (true, false)].map { isSix, isStream in
      let socket = socket(isSix ? AF_INET6 : AF_INET, Int32((isStream ? SOCK_STREAM : SOCK_DGRAM).rawValue), 0)
      var one: Int32 = 1
      setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &one, 4)
      if isSix { setsockopt(socket, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &one, 4) }
      guard SocketAddresses.with(nil, port, isSix: isSix, { bind(socket, $0, $1) }) == 0, !isStream || Glibc.listen(socket, 256) == 0 else {
        throw SystemError("bind")
      }
      return (socket, isStream)
    }
  }

  private func serve() {
    var connections: [Int32] = []
    while true {
      let watched = [wake.read] + listeners.map(\.descriptor) + connections
      var polls = watched.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
      guard poll(&polls, nfds_t(polls.count), -1) > 0 else { continue }
      let ready = Set(polls.filter { $0.revents != 0 }.map(\.fd))
      if ready.contains(wake.read) { break }
      for (socket, isStream) in listeners where ready.contains(socket) { if let new = greet(socket, isStream) { connections.append(new) } }
      connections.removeAll { ready.contains($0) && !echo($0) }
    }
    (connections + listeners.map(\.descriptor) + [wake.read]).forEach { close($0) }
  }

  private func greet(_ socket: Int32, _ isStream: Bool) -> Int32? {
    var peer = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    var buffer = [UInt8](repeating: 0, count: 128)
    return withUnsafeMutablePointer(to: &peer) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        let accepted = isStream ? accept(socket, address, &length) : Int32(recvfrom(socket, &buffer, buffer.count, 0, address, &length))
        guard accepted >= 0 else { return nil }
        let text = "\(name) \(SocketAddresses.text(pointer.pointee))"
        if isStream { _ = send(accepted, text, text.utf8.count, Int32(MSG_NOSIGNAL)) }
        if !isStream { _ = sendto(socket, text, text.utf8.count, 0, address, length) }
        return isStream ? accepted : nil
      }
    }
  }

  private func echo(_ socket: Int32) -> Bool {
    var buffer = [UInt8](repeating: 0, count: 128)
    let count = recv(socket, &buffer, buffer.count, 0)
    if count > 0 { return send(socket, buffer, count, Int32(MSG_NOSIGNAL)) == count }
    close(socket)
    return false
  }
}
