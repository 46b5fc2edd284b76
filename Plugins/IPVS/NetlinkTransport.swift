import CIPVS
import Glibc

/// One netlink socket: datagrams out, datagrams in. Tests put the kernel's part in its place.
package protocol NetlinkTransport: AnyObject {
  /// Hands one datagram to the kernel, which works it off before this returns.
  func send(_ datagram: UnsafeRawBufferPointer) throws(TransportFault)
  /// Receives one datagram, cut off never: one that does not fit is a fault. Waits as long as the transport finds bearable.
  func receive() throws(TransportFault) -> [UInt8]
  /// Type number of the messages of a generic netlink family.
  func family(_ name: String) throws(TransportFault) -> UInt16
}

/// Why a datagram did not get through.
package struct TransportFault: Error, Equatable, Sendable {
  package enum Operation: String, Sendable {
    case open, send, receive, resolve
  }
  package var operation: Operation
  package var errno: Int32

  package init(_ operation: Operation, errno: Int32) {
    self.operation = operation
    self.errno = errno
  }

  package var text: String { "netlink \(operation.rawValue): \(String(cString: strerror(errno)))" }
}

/// The kernel's end. Opens in the network namespace of the thread that makes it and stays there.
package final class NetlinkSocket: NetlinkTransport {
  private let socket: OpaquePointer
  private let groups: [Int32]
  private var buffer = [UInt8](repeating: 0, count: 1 << 17)

  /// - Parameter groups: multicast groups to listen to; such a socket waits for nothing.
  package init(_ bus: Int32, groups: [Int32] = [], timeoutSeconds: Int = 10) throws(TransportFault) {
    guard let socket = nl_socket_alloc() else { throw TransportFault(.open, errno: ENOMEM) }
    let result = nl_connect(socket, bus)
    guard result == 0 else {
      nl_socket_free(socket)
      throw TransportFault(.open, errno: Self.errno(result))
    }
    self.socket = socket
    self.groups = groups
    var one: Int32 = 1
    // Error answers carry the kernel's words, but not the whole request once more.
    _ = setsockopt(descriptor, SOL_NETLINK, NETLINK_EXT_ACK, &one, socklen_t(MemoryLayout<Int32>.size))
    _ = setsockopt(descriptor, SOL_NETLINK, NETLINK_CAP_ACK, &one, socklen_t(MemoryLayout<Int32>.size))
    var size: Int32 = 1 << 21
    _ = setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &size, socklen_t(MemoryLayout<Int32>.size))
    _ = setsockopt(descriptor, SOL_SOCKET, SO_SNDBUFFORCE, &size, socklen_t(MemoryLayout<Int32>.size))
    var patience = timeval(tv_sec: timeoutSeconds, tv_usec: 0)
    _ = setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    try join()
    if !groups.isEmpty { _ = fcntl(descriptor, F_SETFL, O_NONBLOCK) }
  }

  deinit { nl_socket_free(socket) }

  /// Listens to its groups.
  package func join() throws(TransportFault) {
    for group in groups {
      let result = nl_socket_add_membership(socket, group)
      if result != 0 { throw TransportFault(.open, errno: Self.errno(result)) }
    }
  }

  /// Listens to none until it joins again.
  package func leave() {
    // One that stays only costs time.
    for group in groups { _ = nl_socket_drop_membership(socket, group) }
  }

  package var descriptor: Int32 { nl_socket_get_fd(socket) }

  package func send(_ datagram: UnsafeRawBufferPointer) throws(TransportFault) {
    while Glibc.send(descriptor, datagram.baseAddress, datagram.count, 0) < 0 {
      if Glibc.errno != EINTR { throw TransportFault(.send, errno: Glibc.errno) }
    }
  }

  package func receive() throws(TransportFault) -> [UInt8] {
    while true {
      let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_TRUNC))
      if count > buffer.count { throw TransportFault(.receive, errno: EMSGSIZE) }
      if count >= 0 { return Array(buffer.prefix(count)) }
      if Glibc.errno != EINTR { throw TransportFault(.receive, errno: Glibc.errno) }
    }
  }

  package func family(_ name: String) throws(TransportFault) -> UInt16 {
    let number = genl_ctrl_resolve(socket, name)
    guard number >= 0 else { throw TransportFault(.resolve, errno: Self.errno(number)) }
    return UInt16(truncatingIfNeeded: number)
  }

  /// libnl has error numbers of its own, negative.
  private static func errno(_ result: Int32) -> Int32 {
    switch -result {
    case NLE_OBJ_NOTFOUND, NLE_NOADDR: ENOENT
    case NLE_NOMEM: ENOMEM
    case NLE_PERM, NLE_NOACCESS: EPERM
    case NLE_AF_NOSUPPORT: EAFNOSUPPORT
    case NLE_PROTO_MISMATCH: EPROTONOSUPPORT
    case NLE_AGAIN: EAGAIN
    case NLE_BUSY: EBUSY
    default: EINVAL
    }
  }
}
