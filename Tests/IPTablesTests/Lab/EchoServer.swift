import Glibc
import ProxyTesting

/// A pod's server: says its name and the client's address to each TCP connection and datagram, then echoes what a connection
/// sends. Both families, one thread.
///
/// `@unchecked Sendable`: the sockets belong to the thread, which ends when the pipe is closed; the rest never changes.
final class EchoServer: @unchecked Sendable {
  private let name: String
  private let wake: (read: Int32, write: Int32)
  private var listeners: [(descriptor: Int32, proto: UInt8)] = []
  private var thread = pthread_t()

  init(_ name: String, in namespace: NetworkNamespace, port: UInt16) throws {
    self.name = name
    var pipe: [Int32] = [0, 0]
    guard Glibc.pipe(&pipe) == 0 else { throw SystemError("pipe") }
    wake = (pipe[0], pipe[1])
    listeners = try namespace.run { try Self.listeners(port) }
    let created = pthread_create(
      &thread, nil,
      { argument in
        if let argument { Unmanaged<EchoServer>.fromOpaque(argument).takeRetainedValue().serve() }
        return nil
      }, Unmanaged.passRetained(self).toOpaque())
    guard created == 0 else { throw SystemError("pthread_create", errno: created) }
  }

  func stop() {
    close(wake.write)
    pthread_join(thread, nil)
  }

  private static func listeners(_ port: UInt16) throws -> [(Int32, UInt8)] {
    var listeners: [(Int32, UInt8)] = []
    for isSix in [false, true] {
      for proto in [Sockets.tcp, Sockets.udp] {
        let socket = try Sockets.open(proto, isSix: isSix)
        Sockets.set(socket, SOL_SOCKET, SO_REUSEADDR, 1)
        if isSix { Sockets.set(socket, Int32(IPPROTO_IPV6), IPV6_V6ONLY, 1) }
        guard let any = SocketAddress(nil, port, isSix: isSix), any.with({ bind(socket, $0, $1) }) == 0 else { throw SystemError("bind") }
        if proto == Sockets.tcp, listen(socket, 1024) != 0 { throw SystemError("listen") }
        listeners.append((socket, proto))
      }
    }
    return listeners
  }

  private func serve() {
    var connections: [Int32] = []
    while true {
      let watched = [wake.read] + listeners.map(\.descriptor) + connections
      var polls = watched.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
      guard poll(&polls, nfds_t(polls.count), -1) > 0 else { continue }
      let ready = Set(polls.filter { $0.revents != 0 }.map(\.fd))
      if ready.contains(wake.read) { break }
      for (socket, proto) in listeners where ready.contains(socket) {
        if proto == Sockets.udp { answer(socket) } else if let accepted = greet(socket) { connections.append(accepted) }
      }
      connections.removeAll { ready.contains($0) && !echo($0) }
    }
    (connections + listeners.map(\.descriptor) + [wake.read]).forEach { close($0) }
  }

  private func answer(_ socket: Int32) {
    var peer = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    var buffer = [UInt8](repeating: 0, count: 128)
    withUnsafeMutablePointer(to: &peer) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        guard recvfrom(socket, &buffer, buffer.count, 0, address, &length) >= 0 else { return }
        let text = "\(name) \(SocketAddress.text(pointer.pointee))\n"
        _ = sendto(socket, text, text.utf8.count, 0, address, length)
      }
    }
  }

  private func greet(_ socket: Int32) -> Int32? {
    var peer = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let accepted = withUnsafeMutablePointer(to: &peer) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { accept(socket, $0, &length) }
    }
    guard accepted >= 0 else { return nil }
    let text = "\(name) \(SocketAddress.text(peer))\n"
    _ = send(accepted, text, text.utf8.count, Int32(MSG_NOSIGNAL))
    return accepted
  }

  /// False when the connection is over.
  private func echo(_ socket: Int32) -> Bool {
    var buffer = [UInt8](repeating: 0, count: 128)
    let count = recv(socket, &buffer, buffer.count, 0)
    if count <= 0 {
      close(socket)
      return false
    }
    return send(socket, buffer, count, Int32(MSG_NOSIGNAL)) == count
  }
}
