import CNetfilter

/// One message of a received datagram.
package struct NetlinkReply {
  package let header: UnsafePointer<nlmsghdr>

  package var type: UInt16 { header.pointee.nlmsg_type }
  package var flags: UInt16 { header.pointee.nlmsg_flags }
  package var sequence: UInt32 { header.pointee.nlmsg_seq }
  /// nf_tables messages only: the NFT_MSG_ number.
  package var tableMessage: UInt32? {
    Int32(type) >> 8 == NFNL_SUBSYS_NFTABLES ? UInt32(type & 0xff) : nil
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

  /// The errno of an acknowledgement, 0 for success, and the kernel's own words; nil when this is none or cut short.
  package var acknowledgement: (errno: Int32, words: String)? {
    guard Int32(type) == NLMSG_ERROR else { return nil }
    let fixed = MemoryLayout<nlmsghdr>.size + MemoryLayout<nlmsgerr>.size
    let length = Int(header.pointee.nlmsg_len)
    guard length >= fixed else { return nil }
    let bytes = UnsafeRawBufferPointer(start: UnsafeRawPointer(header), count: length)
    let error = bytes.loadUnaligned(fromByteOffset: MemoryLayout<nlmsghdr>.size, as: Int32.self)
    guard flags & 0x200 != 0 else { return (-error, "") }  // NLM_F_ACK_TLVS
    var offset = fixed
    if flags & 0x100 == 0 {  // not NLM_F_CAPPED: the request's payload comes first
      let echoed = bytes.loadUnaligned(fromByteOffset: MemoryLayout<nlmsghdr>.size + 4, as: UInt32.self)
      offset += max(0, Int(echoed) - MemoryLayout<nlmsghdr>.size + 3) & ~3
    }
    return (-error, Self.words(bytes, from: offset))
  }

  /// NLMSGERR_ATTR_MSG among the attributes of an extended acknowledgement.
  private static func words(_ bytes: UnsafeRawBufferPointer, from start: Int) -> String {
    var offset = start
    while offset + 4 <= bytes.count {
      let length = Int(bytes.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
      let type = bytes.loadUnaligned(fromByteOffset: offset + 2, as: UInt16.self) & 0x3fff
      guard length >= 4, offset + length <= bytes.count else { return "" }
      if type == 1 { return String(decoding: bytes[(offset + 4)..<(offset + length)].prefix { $0 != 0 }, as: UTF8.self) }
      offset += (length + 3) & ~3
    }
    return ""
  }
}
