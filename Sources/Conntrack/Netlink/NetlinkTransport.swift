/// One netlink socket: datagrams out, datagrams in. Tests put the kernel's part in its place.
package protocol NetlinkTransport: AnyObject {
  /// Hands one datagram to the kernel.
  func send(_ datagram: UnsafeRawBufferPointer) throws(ConntrackFault)
  /// Receives one datagram, cut off never: one that does not fit is a fault. Waits as long as the transport finds bearable.
  func receive(into buffer: UnsafeMutableRawBufferPointer) throws(ConntrackFault) -> Int
}
