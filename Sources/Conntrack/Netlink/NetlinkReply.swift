import CConntrack

/// One message of a received datagram.
package struct NetlinkReply {
  package let header: UnsafePointer<nlmsghdr>

  package var type: UInt16 { header.pointee.nlmsg_type }
  package var flags: UInt16 { header.pointee.nlmsg_flags }
  package var sequence: UInt32 { header.pointee.nlmsg_seq }

  package var payload: UnsafeRawBufferPointer {
    let size = MemoryLayout<nlmsghdr>.size
    return UnsafeRawBufferPointer(start: UnsafeRawPointer(header) + size, count: Int(header.pointee.nlmsg_len) - size)
  }

  /// Calls `body` for each whole message; false when the datagram is not made of whole messages.
  package static func each(in datagram: UnsafeRawBufferPointer, _ body: (NetlinkReply) -> Void) -> Bool {
    var offset = 0
    while offset < datagram.count {
      guard let base = datagram.baseAddress, datagram.count - offset >= MemoryLayout<nlmsghdr>.size else { return false }
      let header = (base + offset).assumingMemoryBound(to: nlmsghdr.self)
      let length = Int(header.pointee.nlmsg_len)
      guard length >= MemoryLayout<nlmsghdr>.size, length <= datagram.count - offset else { return false }
      body(NetlinkReply(header: header))
      offset += (length + 3) & ~3
    }
    return true
  }

  /// The errno of an acknowledgement or of a dump's end, 0 for success; nil when this is neither or cut short.
  package var status: Int32? {
    guard Int32(type) == NLMSG_ERROR || Int32(type) == NLMSG_DONE else { return nil }
    guard payload.count >= 4 else { return Int32(type) == NLMSG_DONE ? 0 : nil }
    return -payload.loadUnaligned(as: Int32.self)
  }
}
