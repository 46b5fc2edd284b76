import CConntrack
import Glibc

/// The kernel's end. Opens in the network namespace of the thread that makes it and stays there.
package final class NetlinkSocket: NetlinkTransport {
  private let socket: OpaquePointer

  package init(timeoutSeconds: Int = 10) throws(ConntrackFault) {
    guard let opened = mnl_socket_open2(NETLINK_NETFILTER, Int32(SOCK_CLOEXEC.rawValue)) else {
      throw ConntrackFault("open a netfilter netlink socket", errno: Glibc.errno)
    }
    guard mnl_socket_bind(opened, 0, MNL_SOCKET_AUTOPID) == 0 else {
      let cause = Glibc.errno
      mnl_socket_close(opened)
      throw ConntrackFault("bind a netfilter netlink socket", errno: cause)
    }
    socket = opened
    let descriptor = mnl_socket_get_fd(opened)
    var one: Int32 = 1
    // Error answers do not carry the whole request once more.
    _ = mnl_socket_setsockopt(opened, NETLINK_CAP_ACK, &one, socklen_t(MemoryLayout<Int32>.size))
    // A batch of deletions may be answered one by one before we read.
    var size: Int32 = 1 << 21
    _ = setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &size, socklen_t(MemoryLayout<Int32>.size))
    // The answer is there before send returns; this bounds the wait should a kernel ever not answer.
    var patience = timeval(tv_sec: timeoutSeconds, tv_usec: 0)
    _ = setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
  }

  deinit { mnl_socket_close(socket) }

  package func send(_ datagram: UnsafeRawBufferPointer) throws(ConntrackFault) {
    while mnl_socket_sendto(socket, datagram.baseAddress, datagram.count) < 0 {
      if Glibc.errno != EINTR { throw ConntrackFault("send to conntrack", errno: Glibc.errno) }
    }
  }

  package func receive(into buffer: UnsafeMutableRawBufferPointer) throws(ConntrackFault) -> Int {
    while true {
      let count = mnl_socket_recvfrom(socket, buffer.baseAddress, buffer.count)
      if count >= 0 { return count }
      if Glibc.errno != EINTR { throw ConntrackFault("receive from conntrack", errno: Glibc.errno) }
    }
  }
}
