import CNetfilter

extension Element {
  /// No element takes more of a message: two keys of 12 words, and a chain's name.
  static let spaciousBytes = 512

  /// Appends the element to the list that is being written. By libmnl, as libnftnl's objects, one for each element, took most of
  /// the time of a full load.
  func append(to message: UnsafeMutablePointer<nlmsghdr>, _ family: Family, _ map: MapKind, withValue: Bool) {
    let nest = mnl_attr_nest_start(message, UInt16(NFTA_LIST_ELEM.rawValue))
    withUnsafeTemporaryAllocation(byteCount: 64, alignment: 8) { scratch in
      Self.data(NFTA_SET_ELEM_KEY, scratch, write(map.key, family, asKey: true, to: scratch), message)
      if map.isInterval {
        Self.data(NFTA_SET_ELEM_KEY_END, scratch, write(map.key, family, asKey: true, isEnd: true, to: scratch), message)
      }
      guard withValue else { return }
      switch map.value {
      case .none: break
      case .verdict: verdict(message)
      case .parts(let parts): Self.data(NFTA_SET_ELEM_DATA, scratch, write(parts, family, asKey: false, to: scratch), message)
      }
    }
    mnl_attr_nest_end(message, nest)
  }

  private static func data(
    _ attribute: nft_set_elem_attributes, _ bytes: UnsafeMutableRawBufferPointer, _ count: Int, _ message: UnsafeMutablePointer<nlmsghdr>
  ) {
    let nest = mnl_attr_nest_start(message, UInt16(attribute.rawValue))
    mnl_attr_put(message, UInt16(NFTA_DATA_VALUE.rawValue), count, bytes.baseAddress)
    mnl_attr_nest_end(message, nest)
  }

  private func verdict(_ message: UnsafeMutablePointer<nlmsghdr>) {
    // From a place of affinity that lost its endpoint the packet comes back.
    let code = serviceClass.slot == nil ? NFT_GOTO : NFT_JUMP
    let value = mnl_attr_nest_start(message, UInt16(NFTA_SET_ELEM_DATA.rawValue))
    let verdict = mnl_attr_nest_start(message, UInt16(NFTA_DATA_VERDICT.rawValue))
    mnl_attr_put_u32(message, UInt16(NFTA_VERDICT_CODE.rawValue), UInt32(bitPattern: code.rawValue).bigEndian)
    mnl_attr_put_strz(message, UInt16(NFTA_VERDICT_CHAIN.rawValue), reference.chain)
    mnl_attr_nest_end(message, verdict)
    mnl_attr_nest_end(message, value)
  }

  /// Lays the parts out as registers hold them: each from a word's first byte on, the rest of its words zero.
  /// - Parameter isEnd: the last key of the interval.
  private func write(
    _ parts: [MapKind.Part], _ family: Family, asKey: Bool, isEnd: Bool = false, to bytes: UnsafeMutableRawBufferPointer
  ) -> Int {
    var offset = 0
    var isFirstAddress = asKey
    let hasIndex = asKey && parts.count > 1
    for part in parts {
      let width = part.width(family)
      guard offset + width <= bytes.count else { return offset }
      switch part {
      case .address:
        Self.store(isFirstAddress ? key.address : target.address, family, to: bytes, at: offset)
        isFirstAddress = false
      case .source: Self.store((isEnd ? source?.last : source?.address) ?? Address(), family, to: bytes, at: offset)
      case .proto:
        bytes.storeBytes(of: 0, toByteOffset: offset, as: UInt32.self)
        bytes.storeBytes(of: key.proto, toByteOffset: offset, as: UInt8.self)
      case .port:
        let port = asKey ? key.port : target.port
        bytes.storeBytes(of: 0, toByteOffset: offset, as: UInt32.self)
        bytes.storeBytes(of: port.bigEndian, toByteOffset: offset, as: UInt16.self)
      case .number:
        bytes.storeBytes(of: hasIndex ? index : number, toByteOffset: offset, as: UInt32.self)
      }
      offset += width
    }
    return offset
  }

  private static func store(_ address: Address, _ family: Family, to bytes: UnsafeMutableRawBufferPointer, at offset: Int) {
    if family == .ipv4 {
      bytes.storeBytes(of: UInt32(truncatingIfNeeded: address.low).bigEndian, toByteOffset: offset, as: UInt32.self)
    } else {
      // The key of an IPv6 front end may begin at any word.
      bytes.storeBytes(of: address.high.bigEndian, toByteOffset: offset, as: UInt64.self)
      bytes.storeBytes(of: address.low.bigEndian, toByteOffset: offset + 8, as: UInt64.self)
    }
  }

  /// Reads an element the kernel answered with; nil when it has not the shape of the map.
  static func read(_ family: Family, _ map: MapKind, _ object: OpaquePointer) -> (Element, chain: String?)? {
    var element = Element(FrontendKey(address: Address(), port: 0, proto: 0, isNodePort: map.isNodePort))
    var length: UInt32 = 0
    guard let key = nftnl_set_elem_get(object, attribute(NFTNL_SET_ELEM_KEY), &length) else { return nil }
    guard element.parse(map.key, family, asKey: true, UnsafeRawBufferPointer(start: key, count: Int(length))) else { return nil }
    if map.isInterval {
      guard let end = nftnl_set_elem_get(object, attribute(NFTNL_SET_ELEM_KEY_END), &length) else { return nil }
      var last = element
      guard last.parse(map.key, family, asKey: true, UnsafeRawBufferPointer(start: end, count: Int(length))),
        let source = Network(first: element.source?.address ?? Address(), last: last.source?.address ?? Address(), family)
      else { return nil }
      element.source = source
    }
    switch map.value {
    case .none: return (element, nil)
    case .verdict:
      let chain = nftnl_set_elem_get_str(object, attribute(NFTNL_SET_ELEM_CHAIN)).map { String(cString: $0) }
      return (element, chain)
    case .parts(let parts):
      guard let value = nftnl_set_elem_get(object, attribute(NFTNL_SET_ELEM_DATA), &length) else { return nil }
      guard element.parse(parts, family, asKey: false, UnsafeRawBufferPointer(start: value, count: Int(length))) else { return nil }
      return (element, nil)
    }
  }

  private mutating func parse(_ parts: [MapKind.Part], _ family: Family, asKey: Bool, _ bytes: UnsafeRawBufferPointer) -> Bool {
    guard bytes.count >= parts.width(family) else { return false }
    var offset = 0
    var isFirstAddress = asKey
    let hasIndex = asKey && parts.count > 1
    for part in parts {
      let width = part.width(family)
      let slice = UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + width])
      switch part {
      case .address:
        let address = Address(network: slice, family)
        if isFirstAddress { key.address = address } else { target.address = address }
        isFirstAddress = false
      case .source: source = Network(Address(network: slice, family), prefix: family.width * 8, family)
      case .proto: key.proto = slice.loadUnaligned(as: UInt8.self)
      case .port:
        let port = UInt16(bigEndian: slice.loadUnaligned(as: UInt16.self))
        if asKey { key.port = port } else { target.port = port }
      case .number:
        let value = slice.loadUnaligned(as: UInt32.self)
        if hasIndex { index = value } else { number = value }
      }
      offset += width
    }
    return true
  }
}
