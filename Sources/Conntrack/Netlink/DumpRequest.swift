import CConntrack
import KubeModel

/// Asks for entries of the table.
package enum DumpRequest {
  /// - Parameter isNarrow: have the kernel compare what the scope says beyond the family (kernel 5.8, CTA_FILTER; older ones
  ///   hand over the whole family).
  package static func bytes(_ scope: FlowScope, sequence: UInt32, isNarrow: Bool) -> [UInt8] {
    var buffer = [UInt8](repeating: 0, count: 512)
    let count = buffer.withUnsafeMutableBytes { bytes -> Int in
      guard let header = mnl_nlmsg_put_header(bytes.baseAddress) else { return 0 }
      header.pointee.nlmsg_type = UInt16(NFNL_SUBSYS_CTNETLINK) << 8 | UInt16(IPCTNL_MSG_CT_GET.rawValue)
      header.pointee.nlmsg_flags = UInt16(NLM_F_REQUEST | NLM_F_DUMP)
      header.pointee.nlmsg_seq = sequence
      let generic = mnl_nlmsg_put_extra_header(header, MemoryLayout<nfgenmsg>.size)?.assumingMemoryBound(to: nfgenmsg.self)
      generic?.pointee.nfgen_family = UInt8(scope.family == .v4 ? AF_INET : AF_INET6)
      generic?.pointee.version = UInt8(NFNETLINK_V0)
      if isNarrow, scope.isNarrow { filter(header, scope) }
      return Int(header.pointee.nlmsg_len)
    }
    return Array(buffer.prefix(count))
  }

  private static func filter(_ header: UnsafeMutablePointer<nlmsghdr>, _ scope: FlowScope) {
    var flags: UInt32 = 0
    let tuple = mnl_attr_nest_start(header, UInt16(CTA_TUPLE_ORIG.rawValue))
    if let address = scope.comparedAddress {
      flags |= UInt32(SWL_CTA_FILTER_IP_DST)
      let nest = mnl_attr_nest_start(header, UInt16(CTA_TUPLE_IP.rawValue))
      mnl_attr_put(header, UInt16(CTA_IP_V4_DST.rawValue), address.bytes.count, address.bytes)
      mnl_attr_nest_end(header, nest)
    }
    if let ipProtocol = scope.ipProtocol {
      flags |= UInt32(SWL_CTA_FILTER_PROTO_NUM)
      let nest = mnl_attr_nest_start(header, UInt16(CTA_TUPLE_PROTO.rawValue))
      mnl_attr_put_u8(header, UInt16(CTA_PROTO_NUM.rawValue), ipProtocol.rawValue)
      if let port = scope.port {
        flags |= UInt32(SWL_CTA_FILTER_PROTO_DST_PORT)
        mnl_attr_put_u16(header, UInt16(CTA_PROTO_DST_PORT.rawValue), port.bigEndian)
      }
      mnl_attr_nest_end(header, nest)
    }
    mnl_attr_nest_end(header, tuple)
    let filter = mnl_attr_nest_start(header, UInt16(CTA_FILTER.rawValue))
    // The only attributes of netfilter in the machine's own byte order.
    mnl_attr_put_u32(header, UInt16(CTA_FILTER_ORIG_FLAGS.rawValue), flags)
    mnl_attr_put_u32(header, UInt16(CTA_FILTER_REPLY_FLAGS.rawValue), 0)
    mnl_attr_nest_end(header, filter)
  }
}
