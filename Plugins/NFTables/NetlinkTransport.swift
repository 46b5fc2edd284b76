import CNetfilter
import Glibc

/// One netlink socket: datagrams out, datagrams in. Tests put the kernel's part in its place.
package protocol NetlinkTransport: AnyObject {
  /// Hands one datagram to the kernel, which works it off before this returns.
  func send(_ datagram: UnsafeRawBufferPointer) throws(TransportFault)
  /// Receives one datagram, cut off never: one that does not fit is a fault. Waits as long as the transport finds bearable.
  func receive(into buffer: UnsafeMutableRawBufferPointer) throws(TransportFault) -> Int
  /// What the kernel calls this end in what it tells others; 0 when there is no kernel.
  var portNumber: UInt32 { get }
}

extension NetlinkTransport {
  package var portNumber: UInt32 { 0 }
}

/// Why a datagram did not get through.
package struct TransportFault: Error, Equatable, Sendable {
  package enum Operation: String, Sendable {
    case open, send, receive
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
  private var sendBuffer: Int32 = 0

  package init(timeoutSeconds: Int = 10) throws(TransportFault) {
    guard let opened = mnl_socket_open2(NETLINK_NETFILTER, Int32(SOCK_CLOEXEC.rawValue)) else {
      throw TransportFault(.open, errno: Glibc.errno)
    }
    guard mnl_socket_bind(opened, 0, MNL_SOCKET_AUTOPID) == 0 else {
      let cause = Glibc.errno
      mnl_socket_close(opened)
      throw TransportFault(.open, errno: cause)
    }
    socket = opened
    var one: Int32 = 1
    // Error answers name the faulty attribute and carry the kernel's words, but not the whole request once more.
    _ = mnl_socket_setsockopt(opened, NETLINK_EXT_ACK, &one, socklen_t(MemoryLayout<Int32>.size))
    _ = mnl_socket_setsockopt(opened, NETLINK_CAP_ACK, &one, socklen_t(MemoryLayout<Int32>.size))
    var size: Int32 = 1 << 22
    _ = setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &size, socklen_t(MemoryLayout<Int32>.size))
    // The answer is there before send returns; this bounds the wait should a kernel ever not answer.
    var patience = timeval(tv_sec: timeoutSeconds, tv_usec: 0)
    _ = setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
  }

  deinit { mnl_socket_close(socket) }

  private var descriptor: Int32 { mnl_socket_get_fd(socket) }

  package var portNumber: UInt32 { mnl_socket_get_portid(socket) }

  package func send(_ datagram: UnsafeRawBufferPointer) throws(TransportFault) {
    growSendBuffer(to: datagram.count)
    while mnl_socket_sendto(socket, datagram.baseAddress, datagram.count) < 0 {
      if Glibc.errno != EINTR { throw TransportFault(.send, errno: Glibc.errno) }
    }
  }

  package func receive(into buffer: UnsafeMutableRawBufferPointer) throws(TransportFault) -> Int {
    while true {
      let count = mnl_socket_recvfrom(socket, buffer.baseAddress, buffer.count)
      if count >= 0 { return count }
      if Glibc.errno != EINTR { throw TransportFault(.receive, errno: Glibc.errno) }
    }
  }

  /// A batch is one datagram and must fit the send buffer as a whole.
  private func growSendBuffer(to bytes: Int) {
    guard bytes > Int(sendBuffer) else { return }
    var size = Int32(clamping: bytes + 4096)
    if setsockopt(descriptor, SOL_SOCKET, SO_SNDBUFFORCE, &size, socklen_t(MemoryLayout<Int32>.size)) != 0 {
      _ = setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<Int32>.size))
    }
    sendBuffer = size
  }
}
