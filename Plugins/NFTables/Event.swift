import CNetfilter

/// One notification about a table of ours, in words.
package struct Event: Hashable, Sendable {
  package let text: String
  package let family: Family
  /// The table as a whole is gone, so whatever else happened to it does not matter.
  package var isTotal = false

  /// nil when the message is about no table of ours, or says nothing about damage: clients that are remembered may be
  /// forgotten by anybody.
  package init?(_ reply: NetlinkReply) {
    guard let message = reply.tableMessage, let family = reply.family, reply.text(of: 1) == Layout.table else { return nil }
    self.family = family
    let table = "table \(family.name) \(Layout.table)"
    let kind = nf_tables_msg_types(rawValue: message)
    // NFTA_CHAIN_NAME; 2 is a chain's handle, but the name in what is told of rules (NFTA_RULE_CHAIN) and sets.
    let name = reply.text(of: kind == NFT_MSG_NEWCHAIN || kind == NFT_MSG_DELCHAIN ? 3 : 2).map { " \($0)" } ?? ""
    switch kind {
    case NFT_MSG_DELTABLE:
      text = "\(table) is gone"
      isTotal = true
    case NFT_MSG_NEWTABLE: text = "\(table) was changed by somebody else"
    case NFT_MSG_NEWCHAIN, NFT_MSG_NEWRULE, NFT_MSG_DELRULE: text = "\(table): chain\(name) was changed by somebody else"
    case NFT_MSG_DELCHAIN: text = "\(table): chain\(name) was removed by somebody else"
    case NFT_MSG_NEWSETELEM, NFT_MSG_DELSETELEM:
      if MapKind.allCases.contains(where: { $0.isDynamic && " \($0.name)" == name }) { return nil }
      text = "\(table): elements of\(name) were changed by somebody else"
    case NFT_MSG_DELSET: text = "\(table): map\(name) was removed by somebody else"
    default: text = "\(table): something was added by somebody else"
    }
  }
}

extension NetlinkReply {
  /// Of the nfgenmsg behind the header.
  package var family: Family? { payload.first.flatMap { Family(kernel: $0) } }

  /// The string in a top-level attribute behind the nfgenmsg.
  package func text(of wanted: UInt16) -> String? {
    attribute(wanted).map { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
  }

  /// The number in network order in such an attribute.
  package func word(of wanted: UInt16) -> UInt32? {
    attribute(wanted).flatMap { $0.count >= 4 ? UInt32(bigEndian: $0.loadUnaligned(as: UInt32.self)) : nil }
  }

  private func attribute(_ wanted: UInt16) -> UnsafeRawBufferPointer? {
    let bytes = payload
    var offset = 4
    while offset + 4 <= bytes.count {
      let length = Int(bytes.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
      let type = bytes.loadUnaligned(fromByteOffset: offset + 2, as: UInt16.self) & 0x3fff
      guard length >= 4, offset + length <= bytes.count else { return nil }
      if type == wanted { return UnsafeRawBufferPointer(rebasing: bytes[(offset + 4)..<(offset + length)]) }
      offset += (length + 3) & ~3
    }
    return nil
  }

  private var payload: UnsafeRawBufferPointer {
    let whole = UnsafeRawBufferPointer(start: UnsafeRawPointer(header), count: Int(header.pointee.nlmsg_len))
    return UnsafeRawBufferPointer(rebasing: whole.dropFirst(MemoryLayout<nlmsghdr>.size))
  }
}
