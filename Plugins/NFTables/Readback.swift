import CNetfilter
import Glibc
import PluginKit

/// Reads tables of ours back from the kernel.
package struct Readback {
  private let connection: NetlinkConnection
  /// Somebody else's transaction interrupts a dump; on a busy machine that happens, ten times in a row it does not.
  private static let attempts = 10

  package init(_ connection: NetlinkConnection) { self.connection = connection }

  package func table(_ family: Family) throws(BackendFault) -> KernelTable {
    for _ in 0..<Self.attempts {
      var table = KernelTable()
      switch try read(family, into: &table) {
      case .complete: return table
      default: continue
      }
    }
    throw BackendFault(.retry, "read table \(family.name) \(Layout.table): others kept changing the ruleset meanwhile")
  }

  /// Whether a table exists at all, one of ours if no name is given; cheaper than reading it.
  package func isPresent(_ family: Family, name: String = Layout.table) throws(BackendFault) -> Bool {
    var table = KernelTable()
    _ = try readTable(family, name, into: &table)
    return table.isPresent
  }

  /// `.complete`, or `.interrupted` when it should be read once more; any other outcome is thrown.
  private func read(_ family: Family, into table: inout KernelTable) throws(BackendFault) -> NetlinkConnection.DumpOutcome {
    guard try readTable(family, into: &table) == .complete else { return .interrupted }
    guard table.isPresent else { return .complete }
    var maps: Set<MapKind> = []
    guard try readMaps(family, into: &maps) == .complete else { return .interrupted }
    guard try readChains(family, into: &table) == .complete else { return .interrupted }
    guard try readRules(family, into: &table) == .complete else { return .interrupted }
    table.isCompatible = table.isCompatible && maps.count == MapKind.allCases.count
    // Clients come and go without us, and there may be many.
    for map in MapKind.allCases where maps.contains(map) && !map.isDynamic {
      // Each alone as often as it takes: with many elements there is nearly always somebody who interrupts one of the dumps.
      guard let found = try undisturbed(family, map) else { return .interrupted }
      for element in found { table.take(element.element, map, leadsTo: element.chain) }
    }
    table.assemble()
    return .complete
  }

  private func readTable(
    _ family: Family, _ name: String = Layout.table, into table: inout KernelTable
  ) throws(BackendFault) -> NetlinkConnection.DumpOutcome {
    guard let query = nftnl_table_alloc() else { throw Self.outOfMemory }
    defer { nftnl_table_free(query) }
    nftnl_table_set_str(query, attribute(NFTNL_TABLE_NAME), name)
    let outcome = connection.get(NFT_MSG_GETTABLE, family, isDump: false) {
      nftnl_table_nlmsg_build_payload($0, query)
    } _: {
      guard let object = nftnl_table_alloc() else { return }
      defer { nftnl_table_free(object) }
      guard nftnl_table_nlmsg_parse($0, object) >= 0 else { return }
      table.isPresent = true
      table.isDormant = nftnl_table_get_u32(object, attribute(NFTNL_TABLE_FLAGS)) & NFT_TABLE_F_DORMANT.rawValue != 0
      var length: UInt32 = 0
      guard let data = nftnl_table_get_data(object, attribute(NFTNL_TABLE_USERDATA), &length) else { return }
      table.isCompatible = UserData.comment(in: UnsafeRawBufferPointer(start: data, count: Int(length))) == Layout.tableComment
    }
    if case .failed(ENOENT) = outcome { return .complete }
    return try checked(outcome, "table \(family.name) \(name)")
  }

  private func readMaps(_ family: Family, into maps: inout Set<MapKind>) throws(BackendFault) -> NetlinkConnection.DumpOutcome {
    guard let query = nftnl_set_alloc() else { throw Self.outOfMemory }
    defer { nftnl_set_free(query) }
    nftnl_set_set_str(query, attribute(NFTNL_SET_TABLE), Layout.table)
    let outcome = connection.get(NFT_MSG_GETSET, family) {
      nftnl_set_nlmsg_build_payload($0, query)
    } _: {
      guard let object = nftnl_set_alloc() else { return }
      defer { nftnl_set_free(object) }
      guard nftnl_set_nlmsg_parse($0, object) >= 0, let name = text(nftnl_set_get_str(object, attribute(NFTNL_SET_NAME))),
        let map = MapKind.allCases.first(where: { $0.name == name }), isAsDesigned(object, map, family)
      else { return }
      maps.insert(map)
    }
    return try checked(outcome, "maps of \(family.name) \(Layout.table)")
  }

  private func isAsDesigned(_ set: OpaquePointer, _ map: MapKind, _ family: Family) -> Bool {
    let flags = nftnl_set_get_u32(set, attribute(NFTNL_SET_FLAGS))
    let dataType = nftnl_set_get_u32(set, attribute(NFTNL_SET_DATA_TYPE))
    let dataLength = nftnl_set_get_u32(set, attribute(NFTNL_SET_DATA_LEN))
    let isMap = flags & NFT_SET_MAP.rawValue != 0
    let hasValue =
      switch map.value {
      case .none: !isMap
      case .verdict: isMap && dataType == swl_nft_data_verdict()
      case .parts(let parts): isMap && dataType == parts.type(family) && Int(dataLength) == parts.width(family)
      }
    let ofInterest = NFT_SET_MAP.rawValue | NFT_SET_INTERVAL.rawValue | NFT_SET_TIMEOUT.rawValue | NFT_SET_EVAL.rawValue
    guard flags & ofInterest == map.flags & ofInterest, nftnl_set_is_set(set, attribute(NFTNL_SET_EXPR)) == map.isCounted else {
      return false
    }
    return hasValue && nftnl_set_get_u32(set, attribute(NFTNL_SET_KEY_TYPE)) == map.key.type(family)
      && Int(nftnl_set_get_u32(set, attribute(NFTNL_SET_KEY_LEN))) == map.key.width(family)
  }

  private func readChains(_ family: Family, into table: inout KernelTable) throws(BackendFault) -> NetlinkConnection.DumpOutcome {
    let outcome = connection.get(NFT_MSG_GETCHAIN, family) {
      guard let object = nftnl_chain_alloc() else { return }
      defer { nftnl_chain_free(object) }
      guard nftnl_chain_nlmsg_parse($0, object) >= 0,
        text(nftnl_chain_get_str(object, attribute(NFTNL_CHAIN_TABLE))) == Layout.table,
        let name = text(nftnl_chain_get_str(object, attribute(NFTNL_CHAIN_NAME)))
      else { return }
      var image = KernelTable.ChainImage()
      if nftnl_chain_is_set(object, attribute(NFTNL_CHAIN_HOOKNUM)) {
        image.hook = nftnl_chain_get_u32(object, attribute(NFTNL_CHAIN_HOOKNUM))
        image.priority = nftnl_chain_get_s32(object, attribute(NFTNL_CHAIN_PRIO))
        image.type = text(nftnl_chain_get_str(object, attribute(NFTNL_CHAIN_TYPE)))
        image.drops = nftnl_chain_get_u32(object, attribute(NFTNL_CHAIN_POLICY)) == UInt32(NF_DROP)
      }
      table.chains[name] = image
    }
    return try checked(outcome, "chains of \(family.name) \(Layout.table)")
  }

  private func readRules(_ family: Family, into table: inout KernelTable) throws(BackendFault) -> NetlinkConnection.DumpOutcome {
    guard let query = nftnl_rule_alloc() else { throw Self.outOfMemory }
    defer { nftnl_rule_free(query) }
    nftnl_rule_set_str(query, attribute(NFTNL_RULE_TABLE), Layout.table)
    let outcome = connection.get(NFT_MSG_GETRULE, family) {
      nftnl_rule_nlmsg_build_payload($0, query)
    } _: {
      guard let object = nftnl_rule_alloc() else { return }
      defer { nftnl_rule_free(object) }
      guard nftnl_rule_nlmsg_parse($0, object) >= 0, text(nftnl_rule_get_str(object, attribute(NFTNL_RULE_TABLE))) == Layout.table,
        let chain = text(nftnl_rule_get_str(object, attribute(NFTNL_RULE_CHAIN)))
      else { return }
      var length: UInt32 = 0
      let data = nftnl_rule_get_data(object, attribute(NFTNL_RULE_USERDATA), &length)
      let fingerprint = data.flatMap { UserData.fingerprint(in: UnsafeRawBufferPointer(start: $0, count: Int(length))) }
      table.chains[chain, default: KernelTable.ChainImage()].fingerprints.append(fingerprint)
    }
    return try checked(outcome, "rules of \(family.name) \(Layout.table)")
  }

  /// The elements of a map.
  /// - Parameter keys: those to look for; nil: all. When one does not exist, those behind it are not looked for.
  package func elements(
    _ family: Family, _ map: MapKind, keys: [Element]? = nil, _ body: (KernelElement) -> Void
  ) throws(BackendFault) -> NetlinkConnection.DumpOutcome {
    let outcome = connection.get(NFT_MSG_GETSETELEM, family, isDump: keys == nil) {
      _ = Encoder.append((keys ?? [])[...], to: $0, family, map, withValue: false)
    } _: {
      guard let object = nftnl_set_alloc() else { return }
      defer { nftnl_set_free(object) }
      guard nftnl_set_elems_nlmsg_parse($0, object) >= 0, let iterator = nftnl_set_elems_iter_create(object) else { return }
      defer { nftnl_set_elems_iter_destroy(iterator) }
      while let next = nftnl_set_elems_iter_next(iterator) {
        if let element = KernelElement(family, map, next) { body(element) }
      }
    }
    return try checked(outcome, "elements of \(family.name) \(Layout.table) \(map.name)")
  }

  /// All elements of a map, none twice and none left out.
  package func allElements(_ family: Family, _ map: MapKind) throws(BackendFault) -> [KernelElement] {
    if let found = try undisturbed(family, map) { return found }
    throw BackendFault(.retry, "read \(map.name) of \(family.name) \(Layout.table): others kept changing the ruleset meanwhile")
  }

  /// nil: somebody disturbed each attempt.
  private func undisturbed(_ family: Family, _ map: MapKind) throws(BackendFault) -> [KernelElement]? {
    for _ in 0..<Self.attempts {
      var found: [KernelElement] = []
      if try elements(family, map, { found.append($0) }) == .complete { return found }
    }
    return nil
  }

  /// The chains with the fingerprints of their rules, and nothing else of the table.
  package func chains(_ family: Family) throws(BackendFault) -> [String: KernelTable.ChainImage] {
    for _ in 0..<Self.attempts {
      var table = KernelTable()
      if try readChains(family, into: &table) == .complete, try readRules(family, into: &table) == .complete { return table.chains }
    }
    throw BackendFault(.retry, "read chains of \(family.name) \(Layout.table): others kept changing the ruleset meanwhile")
  }

  private func text(_ pointer: UnsafePointer<CChar>?) -> String? { pointer.map { String(cString: $0) } }

  /// Something deleted under our eyes counts as an interruption.
  private func checked(_ outcome: NetlinkConnection.DumpOutcome, _ object: String) throws(BackendFault) -> NetlinkConnection.DumpOutcome {
    switch outcome {
    case .complete: return .complete
    case .interrupted, .failed(ENOENT), .failed(EINTR), .failed(EAGAIN): return .interrupted
    case .failed(let errno): throw Failure.fault("read \(object)", Refusal(errno: errno, words: "", message: nil))
    case .lost(let fault): throw Failure.fault("read \(object)", fault)
    }
  }

  private static let outOfMemory = BackendFault(.retry, "out of memory", errno: ENOMEM)
}
