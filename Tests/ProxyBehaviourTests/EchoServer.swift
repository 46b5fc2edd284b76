import Glibc
import ProxyTesting

/// Endpoints of one network namespace: each says its label and the client's address to each TCP connection, datagram and SCTP
/// association, then echoes what a connection sends. One thread.
final class EchoServer: Sendable {
  struct Endpoint: Sendable {
    var label: String
    var address: String
    var port: UInt16
    var isSix: Bool { address.contains(":") }
  }

  private struct Listener {
    var descriptor: Int32
    var proto: UInt8
    var isSix: Bool
    var label: String
  }

  private let wakeWrite: Int32
  private let thread: Background<Void>

  /// - Parameter associations: answers SCTP too, on a socket for each address.
  init(in namespace: NetworkNamespace, _ endpoints: [Endpoint], associations: Bool = true) throws {
    var pipe: [Int32] = [0, 0]
    guard Glibc.pipe(&pipe) == 0 else { throw SystemError("pipe") }
    for descriptor in pipe { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
    let wakeRead = pipe[0]
    wakeWrite = pipe[1]
    let listeners = try namespace.run { try Self.listeners(endpoints, associations) }
    thread = try Background { Self.serve(listeners, endpoints, until: wakeRead) }
  }

  func stop() {
    close(wakeWrite)
    try? thread.join()
  }

  private static func listeners(_ endpoints: [Endpoint], _ associations: Bool) throws -> [Listener] {
    var listeners: [Listener] = []
    for endpoint in endpoints {
      for proto in [Sockets.tcp, Sockets.udp] {
        let socket = try Sockets.open(proto, isSix: endpoint.isSix)
        Sockets.set(socket, SOL_SOCKET, SO_REUSEADDR, 1)
        guard let address = SocketAddress(endpoint.address, endpoint.port, isSix: endpoint.isSix),
          address.with({ bind(socket, $0, $1) }) == 0
        else { throw SystemError("bind to \(endpoint.address)") }
        if proto == Sockets.tcp, listen(socket, 4096) != 0 { throw SystemError("listen") }
        listeners.append(Listener(descriptor: socket, proto: proto, isSix: endpoint.isSix, label: endpoint.label))
      }
    }
    // Bound, so that replies have the address the request went to.
    for address in associations ? Set(endpoints.map(\.address)) : [] {
      let isSix = address.contains(":")
      let socket = try Sockets.openRaw(Sockets.sctp, isSix: isSix)
      guard let own = SocketAddress(address, 0, isSix: isSix), own.with({ bind(socket, $0, $1) }) == 0 else { throw SystemError("bind") }
      listeners.append(Listener(descriptor: socket, proto: Sockets.sctp, isSix: isSix, label: ""))
    }
    return listeners
  }

  private static func serve(_ listeners: [Listener], _ endpoints: [Endpoint], until wake: Int32) {
    let byDescriptor = Dictionary(uniqueKeysWithValues: listeners.map { ($0.descriptor, $0) })
    var polls = ([wake] + listeners.map(\.descriptor)).map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    while true {
      guard poll(&polls, nfds_t(polls.count), -1) > 0 else { continue }
      let ready = polls.filter { $0.revents != 0 }.map(\.fd)
      if ready.contains(wake) { break }
      for descriptor in ready {
        switch byDescriptor[descriptor] {
        case nil: if !echo(descriptor) { polls.removeAll { $0.fd == descriptor } }
        case let listener? where listener.proto == Sockets.tcp:
          if let accepted = greet(listener) { polls.append(pollfd(fd: accepted, events: Int16(POLLIN), revents: 0)) }
        case let listener? where listener.proto == Sockets.udp: answer(listener)
        case let listener?: acknowledge(listener, endpoints)
        }
      }
    }
    polls.forEach { close($0.fd) }
  }

  private static func answer(_ listener: Listener) {
    receive(listener.descriptor) { _, peer, address, length in
      let text = "\(listener.label) \(SocketAddress.text(peer))\n"
      _ = sendto(listener.descriptor, text, text.utf8.count, 0, address, length)
    }
  }

  private static func acknowledge(_ listener: Listener, _ endpoints: [Endpoint]) {
    receive(listener.descriptor) { bytes, peer, address, length in
      guard let request = SCTPPacket(bytes.dropFirst(listener.isSix ? 0 : 20)), request.chunk == .initiate,
        let endpoint = endpoints.first(where: { $0.port == request.port && $0.isSix == listener.isSix })
      else { return }
      let text = "\(endpoint.label) \(SocketAddress.text(peer))"
      let reply = SCTPPacket(
        sourcePort: request.port, port: request.sourcePort, verification: request.tag, chunk: .initiateAcknowledge, tag: 77, text: text
      ).bytes
      // The source's port is no port of a raw socket.
      guard let target = SocketAddress(SocketAddress.text(peer), 0, isSix: listener.isSix) else { return }
      _ = target.with { sendto(listener.descriptor, reply, reply.count, 0, $0, $1) }
    }
  }

  private static func receive(
    _ descriptor: Int32, _ body: (ArraySlice<UInt8>, sockaddr_storage, UnsafePointer<sockaddr>, socklen_t) -> Void
  ) {
    var peer = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    var buffer = [UInt8](repeating: 0, count: 512)
    withUnsafeMutablePointer(to: &peer) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        let count = recvfrom(descriptor, &buffer, buffer.count, 0, address, &length)
        if count >= 0 { body(buffer.prefix(count), pointer.pointee, address, length) }
      }
    }
  }

  private static func greet(_ listener: Listener) -> Int32? {
    var peer = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let accepted = withUnsafeMutablePointer(to: &peer) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { accept(listener.descriptor, $0, &length) }
    }
    guard accepted >= 0 else { return nil }
    _ = fcntl(accepted, F_SETFD, FD_CLOEXEC)
    let text = "\(listener.label) \(SocketAddress.text(peer))\n"
    _ = send(accepted, text, text.utf8.count, Int32(MSG_NOSIGNAL))
    return accepted
  }

  /// False when the connection is over.
  private static func echo(_ socket: Int32) -> Bool {
    var buffer = [UInt8](repeating: 0, count: 128)
    let count = recv(socket, &buffer, buffer.count, 0)
    if count > 0, send(socket, buffer, count, Int32(MSG_NOSIGNAL)) == count { return true }
    close(socket)
    return false
  }
}
