import CNetfilter

/// Turns messages into libnftnl objects and those into netlink bytes.
package struct Encoder {
  package let layouts: [Family: Layout]
  private let bytes: BatchBytes

  private init(_ bytes: BatchBytes, _ layouts: [Family: Layout]) {
    self.bytes = bytes
    self.layouts = layouts
  }

  /// - Parameter commit: false makes a batch the kernel only checks.
  package static func batch(
    _ messages: [Message], layouts: [Family: Layout], sequence: UInt32, commit: Bool = true, in memory: BatchMemory = BatchMemory()
  ) -> BatchBytes {
    let bytes = BatchBytes(sequence: sequence, in: memory)
    let encoder = Encoder(bytes, layouts)
    bytes.begin()
    for (index, message) in messages.enumerated() { encoder.encode(message, index) }
    bytes.acknowledgeLast()
    if commit { bytes.end() }
    return bytes
  }

  private func encode(_ message: Message, _ origin: Int) {
    switch message {
    case .addTable(let family): encodeTable(family, NFT_MSG_NEWTABLE, NLM_F_CREATE, origin)
    case .deleteTable(let family, let name): encodeTable(family, NFT_MSG_DELTABLE, 0, origin, name: name)
    case .addMap(let family, let map): encodeMap(family, map, origin)
    case .addChain(let family, let name, let hook): encodeChain(family, name, hook, NFT_MSG_NEWCHAIN, NLM_F_CREATE, origin)
    case .deleteChain(let family, let name): encodeChain(family, name, nil, NFT_MSG_DELCHAIN, 0, origin)
    case .flushChain(let family, let name): encodeRule(family, name, nil, NFT_MSG_DELRULE, 0, origin)
    case .addRule(let family, let chain, let rule):
      encodeRule(family, chain, rule, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, origin)
    case .addElements(let family, let map, let elements):
      encodeElements(family, map, elements, NFT_MSG_NEWSETELEM, NLM_F_CREATE, origin)
    case .deleteElements(let family, let map, let elements): encodeElements(family, map, elements, NFT_MSG_DELSETELEM, 0, origin)
    }
  }

  private func encodeTable(
    _ family: Family, _ type: nf_tables_msg_types, _ flags: Int32, _ origin: Int, name: String = Layout.table
  ) {
    guard let table = nftnl_table_alloc() else { return }
    defer { nftnl_table_free(table) }
    nftnl_table_set_str(table, attribute(NFTNL_TABLE_NAME), name)
    if type == NFT_MSG_NEWTABLE {
      // Says that it is not dormant, in case somebody made it so.
      nftnl_table_set_u32(table, attribute(NFTNL_TABLE_FLAGS), 0)
      UserData.comment(Layout.tableComment).with { nftnl_table_set_data(table, attribute(NFTNL_TABLE_USERDATA), $0, $1) }
    }
    bytes.message(type.rawValue, family, flags: UInt32(flags), origin: origin) { nftnl_table_nlmsg_build_payload($0, table) }
  }

  private func encodeChain(
    _ family: Family, _ name: String, _ hook: Chain.Hook?, _ type: nf_tables_msg_types, _ flags: Int32, _ origin: Int
  ) {
    guard let chain = nftnl_chain_alloc() else { return }
    defer { nftnl_chain_free(chain) }
    nftnl_chain_set_str(chain, attribute(NFTNL_CHAIN_TABLE), Layout.table)
    nftnl_chain_set_str(chain, attribute(NFTNL_CHAIN_NAME), name)
    if let hook {
      nftnl_chain_set_str(chain, attribute(NFTNL_CHAIN_TYPE), hook.type)
      nftnl_chain_set_u32(chain, attribute(NFTNL_CHAIN_HOOKNUM), hook.number)
      nftnl_chain_set_s32(chain, attribute(NFTNL_CHAIN_PRIO), hook.priority)
      nftnl_chain_set_u32(chain, attribute(NFTNL_CHAIN_POLICY), UInt32(NF_ACCEPT))
    }
    bytes.message(type.rawValue, family, flags: UInt32(flags), origin: origin) { nftnl_chain_nlmsg_build_payload($0, chain) }
  }

  private func encodeRule(
    _ family: Family, _ chain: String, _ value: Rule?, _ type: nf_tables_msg_types, _ flags: Int32, _ origin: Int
  ) {
    guard let rule = nftnl_rule_alloc() else { return }
    defer { nftnl_rule_free(rule) }
    nftnl_rule_set_str(rule, attribute(NFTNL_RULE_TABLE), Layout.table)
    nftnl_rule_set_str(rule, attribute(NFTNL_RULE_CHAIN), chain)
    if let value {
      for expression in value.expressions {
        if let object = expression.object() { nftnl_rule_add_expr(rule, object) }
      }
      UserData.rule(value).with { nftnl_rule_set_data(rule, attribute(NFTNL_RULE_USERDATA), $0, $1) }
    }
    bytes.message(type.rawValue, family, flags: UInt32(flags), origin: origin) { nftnl_rule_nlmsg_build_payload($0, rule) }
  }

  private func encodeMap(_ family: Family, _ map: MapKind, _ origin: Int) {
    guard let set = nftnl_set_alloc() else { return }
    defer { nftnl_set_free(set) }
    nftnl_set_set_str(set, attribute(NFTNL_SET_TABLE), Layout.table)
    nftnl_set_set_str(set, attribute(NFTNL_SET_NAME), map.name)
    // Names a set inside its transaction only; the kernel insists on one.
    nftnl_set_set_u32(set, attribute(NFTNL_SET_ID), map.identifier)
    nftnl_set_set_u32(set, attribute(NFTNL_SET_KEY_TYPE), map.key.type(family))
    nftnl_set_set_u32(set, attribute(NFTNL_SET_KEY_LEN), UInt32(clamping: map.key.width(family)))
    nftnl_set_set_u32(set, attribute(NFTNL_SET_FLAGS), map.flags)
    switch map.value {
    case .none: break
    case .verdict:
      nftnl_set_set_u32(set, attribute(NFTNL_SET_DATA_TYPE), swl_nft_data_verdict())
      nftnl_set_set_u32(set, attribute(NFTNL_SET_DATA_LEN), 0)
    case .parts(let parts):
      nftnl_set_set_u32(set, attribute(NFTNL_SET_DATA_TYPE), parts.type(family))
      nftnl_set_set_u32(set, attribute(NFTNL_SET_DATA_LEN), UInt32(clamping: parts.width(family)))
    }
    if map.isDynamic { nftnl_set_set_u32(set, attribute(NFTNL_SET_DESC_SIZE), MapKind.clients) }
    if map.isInterval {
      let lengths = map.key.flatMap { $0.fields(family) }
      _ = nftnl_set_set_data(set, attribute(NFTNL_SET_DESC_CONCAT), lengths, UInt32(clamping: lengths.count))
    }
    // The set owns the expression.
    if map.isCounted, let counter = nftnl_expr_alloc("counter") { nftnl_set_add_expr(set, counter) }
    UserData.byteOrders(of: map).with { if $1 > 0 { nftnl_set_set_data(set, attribute(NFTNL_SET_USERDATA), $0, $1) } }
    bytes.message(NFT_MSG_NEWSET.rawValue, family, flags: UInt32(NLM_F_CREATE), origin: origin) {
      nftnl_set_nlmsg_build_payload($0, set)
    }
  }

  /// Elements of one message value may need several netlink messages: an attribute ends at 64 KiB.
  private func encodeElements(
    _ family: Family, _ map: MapKind, _ elements: [Element], _ type: nf_tables_msg_types, _ flags: Int32, _ origin: Int
  ) {
    var rest = elements[...]
    while !rest.isEmpty {
      bytes.message(type.rawValue, family, flags: UInt32(flags), origin: origin) {
        rest = Self.append(rest, to: $0, family, map, withValue: type == NFT_MSG_NEWSETELEM)
      }
    }
  }

  /// Writes the list of elements a message is about, as many as fit.
  /// - Returns: those that did not.
  static func append(
    _ elements: ArraySlice<Element>, to message: UnsafeMutablePointer<nlmsghdr>, _ family: Family, _ map: MapKind, withValue: Bool
  ) -> ArraySlice<Element> {
    mnl_attr_put_strz(message, UInt16(NFTA_SET_ELEM_LIST_TABLE.rawValue), Layout.table)
    mnl_attr_put_strz(message, UInt16(NFTA_SET_ELEM_LIST_SET.rawValue), map.name)
    let list = mnl_attr_nest_start(message, UInt16(NFTA_SET_ELEM_LIST_ELEMENTS.rawValue))
    defer { mnl_attr_nest_end(message, list) }
    let begin = message.pointee.nlmsg_len
    for (index, element) in zip(elements.indices, elements) {
      if message.pointee.nlmsg_len - begin > UInt32(UInt16.max) - UInt32(Element.spaciousBytes) { return elements[index...] }
      element.append(to: message, family, map, withValue: withValue)
    }
    return []
  }
}

extension MapKind {
  /// Names a set inside its transaction only; the kernel insists on one.
  var identifier: UInt32 { UInt32(clamping: rawValue + 1) }

  /// As the kernel keeps them.
  var flags: UInt32 {
    var flags: UInt32 = value == .none ? 0 : NFT_SET_MAP.rawValue
    if isInterval { flags |= NFT_SET_INTERVAL.rawValue | NFT_SET_CONCAT.rawValue }
    if isDynamic { flags |= NFT_SET_TIMEOUT.rawValue | NFT_SET_EVAL.rawValue }
    return flags
  }
}

/// libnftnl names attributes by enums and takes them as 16-bit numbers.
func attribute(_ name: some RawRepresentable<UInt32>) -> UInt16 { UInt16(truncatingIfNeeded: name.rawValue) }
func attribute(_ name: Int) -> UInt16 { UInt16(truncatingIfNeeded: name) }
