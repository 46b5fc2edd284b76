import CNetfilter
import Glibc

/// Hears what happens to the ruleset of its network namespace, as far as the filter lets through.
package protocol EventSource: AnyObject {
  /// Readable when there is something.
  var descriptor: Int32 { get }
  /// Receives one datagram; nil when there is none at the moment. ENOBUFS: some were lost.
  func receive(into buffer: UnsafeMutableRawBufferPointer) throws(TransportFault) -> Int?
  /// Whether the kernel writes notifications for us at all.
  func listen(_ isListening: Bool) throws(TransportFault)
}

/// The kernel's notifications. Opens in the network namespace of the thread that makes it and stays there.
package final class EventSocket: EventSource {
  private let socket: OpaquePointer
  /// Messages of a datagram the filter looks at; see `attachLargest`.
  package private(set) var filteredMessages = 0

  /// - Parameter ownPort: whose transactions are not heard of.
  package init(ownPort: UInt32) throws(TransportFault) {
    guard let opened = mnl_socket_open2(NETLINK_NETFILTER, Int32(SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)) else {
      throw TransportFault(.open, errno: Glibc.errno)
    }
    socket = opened
    // The filter comes before the group, so that nothing passes without it.
    guard attachLargest(ownPort), mnl_socket_bind(opened, 0, MNL_SOCKET_AUTOPID) == 0 else {
      throw TransportFault(.open, errno: Glibc.errno)
    }
    try listen(true)
  }

  deinit { mnl_socket_close(socket) }

  package var descriptor: Int32 { mnl_socket_get_fd(socket) }

  package func receive(into buffer: UnsafeMutableRawBufferPointer) throws(TransportFault) -> Int? {
    while true {
      let count = mnl_socket_recvfrom(socket, buffer.baseAddress, buffer.count)
      if count >= 0 { return count }
      switch Glibc.errno {
      case EINTR: continue
      case EAGAIN: return nil
      default: throw TransportFault(.receive, errno: Glibc.errno)
      }
    }
  }

  package func listen(_ isListening: Bool) throws(TransportFault) {
    var group = NFNLGRP_NFTABLES.rawValue
    let option = isListening ? NETLINK_ADD_MEMBERSHIP : NETLINK_DROP_MEMBERSHIP
    guard mnl_socket_setsockopt(socket, option, &group, socklen_t(MemoryLayout<UInt32>.size)) == 0 else {
      throw TransportFault(.open, errno: Glibc.errno)
    }
  }

  /// The kernel counts a filter against net.core.optmem_max, which was 20 KiB before 6.7 (kernel 6.1 refuses the whole walk with
  /// ENOMEM): a shorter one lets more of others' work through, but never our own, and never misses anything.
  private func attachLargest(_ ownPort: UInt32) -> Bool {
    for messages in [EventFilter.messages, 32, 8, 0] {
      if attach(EventFilter.program(ownPort: ownPort, messages: messages)) {
        filteredMessages = messages
        return true
      }
      guard Glibc.errno == ENOMEM else { return false }
    }
    return false
  }

  /// As `struct sock_fprog`: a count, and behind padding a pointer.
  private func attach(_ program: [EventFilter.Instruction]) -> Bool {
    program.flatMap(\.bytes).withUnsafeBytes { code in
      withUnsafeTemporaryAllocation(byteCount: 2 * MemoryLayout<UInt>.size, alignment: MemoryLayout<UInt>.alignment) { header in
        header.initializeMemory(as: UInt8.self, repeating: 0)
        header.storeBytes(of: UInt16(clamping: program.count), as: UInt16.self)
        header.storeBytes(of: UInt(bitPattern: code.baseAddress), toByteOffset: MemoryLayout<UInt>.size, as: UInt.self)
        return setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_FILTER, header.baseAddress, socklen_t(header.count)) == 0
      }
    }
  }
}
