import CNetfilter

extension Expression {
  /// The expression as a libnftnl object, owned by the caller until it is added to a rule.
  func object() -> OpaquePointer? {
    switch self {
    case .payload(let header, let offset, let length, let to):
      return make("payload") {
        $0.set(NFTNL_EXPR_PAYLOAD_DREG, to.number)
        $0.set(NFTNL_EXPR_PAYLOAD_BASE, header.rawValue)
        $0.set(NFTNL_EXPR_PAYLOAD_OFFSET, offset)
        $0.set(NFTNL_EXPR_PAYLOAD_LEN, length)
      }
    case .meta(let field, let to):
      return make("meta") {
        $0.set(NFTNL_EXPR_META_KEY, field.rawValue)
        $0.set(NFTNL_EXPR_META_DREG, to.number)
      }
    case .setMeta(let field, let from):
      return make("meta") {
        $0.set(NFTNL_EXPR_META_KEY, field.rawValue)
        $0.set(NFTNL_EXPR_META_SREG, from.number)
      }
    case .bitwise(let register, let mask, let flip):
      return make("bitwise") {
        $0.set(NFTNL_EXPR_BITWISE_SREG, register.number)
        $0.set(NFTNL_EXPR_BITWISE_DREG, register.number)
        $0.set(NFTNL_EXPR_BITWISE_LEN, UInt32(clamping: mask.count))
        $0.set(NFTNL_EXPR_BITWISE_MASK, mask)
        $0.set(NFTNL_EXPR_BITWISE_XOR, flip)
      }
    case .equal(let register, let value): return compare(register, NFT_CMP_EQ, value)
    case .notEqual(let register, let value): return compare(register, NFT_CMP_NEQ, value)
    case .lookup(let map, let from, let to):
      return make("lookup") {
        $0.set(NFTNL_EXPR_LOOKUP_SET, map.name)
        $0.set(NFTNL_EXPR_LOOKUP_SREG, from.number)
        if let to { $0.set(NFTNL_EXPR_LOOKUP_DREG, to.number) }
      }
    case .absent(let map, let from):
      return make("lookup") {
        $0.set(NFTNL_EXPR_LOOKUP_SET, map.name)
        $0.set(NFTNL_EXPR_LOOKUP_SREG, from.number)
        $0.set(NFTNL_EXPR_LOOKUP_FLAGS, UInt32(NFT_LOOKUP_F_INV.rawValue))
      }
    case .follow(let map, let from):
      return make("lookup") {
        $0.set(NFTNL_EXPR_LOOKUP_SET, map.name)
        $0.set(NFTNL_EXPR_LOOKUP_SREG, from.number)
        $0.set(NFTNL_EXPR_LOOKUP_DREG, UInt32(NFT_REG_VERDICT.rawValue))
      }
    case .routeType(let end, let to):
      return make("fib") {
        $0.set(NFTNL_EXPR_FIB_DREG, to.number)
        $0.set(NFTNL_EXPR_FIB_RESULT, UInt32(NFT_FIB_RESULT_ADDRTYPE.rawValue))
        $0.set(NFTNL_EXPR_FIB_FLAGS, UInt32((end == .source ? NFTA_FIB_F_SADDR : NFTA_FIB_F_DADDR).rawValue))
      }
    case .connectionState(let to):
      return make("ct") {
        $0.set(NFTNL_EXPR_CT_KEY, UInt32(NFT_CT_STATE.rawValue))
        $0.set(NFTNL_EXPR_CT_DREG, to.number)
      }
    case .connectionStatus(let to):
      return make("ct") {
        $0.set(NFTNL_EXPR_CT_KEY, UInt32(NFT_CT_STATUS.rawValue))
        $0.set(NFTNL_EXPR_CT_DREG, to.number)
      }
    case .constant(let value, let to):
      return make("immediate") {
        $0.set(NFTNL_EXPR_IMM_DREG, to.number)
        $0.set(NFTNL_EXPR_IMM_DATA, withUnsafeBytes(of: value) { Array($0) })
      }
    case .update(let map, let key, let value, let seconds):
      return dynamic(map, NFT_DYNSET_OP_UPDATE, key, value, milliseconds: UInt64(seconds) * 1000)
    case .remove(let map, let key, let value): return dynamic(map, NFT_DYNSET_OP_DELETE, key, value, milliseconds: 0)
    case .random(let below, let offset, let to):
      return make("numgen") {
        $0.set(NFTNL_EXPR_NG_DREG, to.number)
        $0.set(NFTNL_EXPR_NG_MODULUS, below)
        $0.set(NFTNL_EXPR_NG_TYPE, UInt32(NFT_NG_RANDOM.rawValue))
        if offset != 0 { $0.set(NFTNL_EXPR_NG_OFFSET, offset) }
      }
    case .destinationNAT(let family, let address, let port):
      return make("nat") {
        $0.set(NFTNL_EXPR_NAT_TYPE, UInt32(NFT_NAT_DNAT.rawValue))
        $0.set(NFTNL_EXPR_NAT_FAMILY, UInt32(family.number))
        $0.set(NFTNL_EXPR_NAT_REG_ADDR_MIN, address.number)
        $0.set(NFTNL_EXPR_NAT_REG_PROTO_MIN, port.number)
      }
    case .masquerade:
      // NF_NAT_RANGE_PROTO_RANDOM_FULLY: nodes that masquerade many pods would else run into the same source ports.
      return make("masq") { $0.set(NFTNL_EXPR_MASQ_FLAGS, 1 << 4) }
    case .verdict(let target): return verdict(target)
    case .reject(let rejection): return reject(rejection)
    }
  }

  private func verdict(_ target: Target) -> OpaquePointer? {
    make("immediate") {
      $0.set(NFTNL_EXPR_IMM_DREG, UInt32(NFT_REG_VERDICT.rawValue))
      switch target {
      case .drop: $0.set(NFTNL_EXPR_IMM_VERDICT, 0)
      case .jump(let chain):
        $0.set(NFTNL_EXPR_IMM_VERDICT, UInt32(bitPattern: NFT_JUMP.rawValue))
        $0.set(NFTNL_EXPR_IMM_CHAIN, chain)
      case .goto(let chain):
        $0.set(NFTNL_EXPR_IMM_VERDICT, UInt32(bitPattern: NFT_GOTO.rawValue))
        $0.set(NFTNL_EXPR_IMM_CHAIN, chain)
      }
    }
  }

  private func dynamic(
    _ map: MapKind, _ operation: nft_dynset_ops, _ key: Register, _ value: Register, milliseconds: UInt64
  ) -> OpaquePointer? {
    make("dynset") {
      $0.set(NFTNL_EXPR_DYNSET_SET_NAME, map.name)
      // Names the set inside the transaction that makes it.
      $0.set(NFTNL_EXPR_DYNSET_SET_ID, map.identifier)
      $0.set(NFTNL_EXPR_DYNSET_OP, UInt32(operation.rawValue))
      $0.set(NFTNL_EXPR_DYNSET_SREG_KEY, key.number)
      $0.set(NFTNL_EXPR_DYNSET_SREG_DATA, value.number)
      if milliseconds > 0 { nftnl_expr_set_u64($0, attribute(NFTNL_EXPR_DYNSET_TIMEOUT), milliseconds) }
    }
  }

  private func reject(_ rejection: Rejection) -> OpaquePointer? {
    make("reject") {
      switch rejection {
      case .tcpReset: $0.set(NFTNL_EXPR_REJECT_TYPE, UInt32(NFT_REJECT_TCP_RST.rawValue))
      case .portUnreachable(let family):
        $0.set(NFTNL_EXPR_REJECT_TYPE, UInt32(NFT_REJECT_ICMP_UNREACH.rawValue))
        // ICMP_PORT_UNREACH and ICMPV6_PORT_UNREACH.
        nftnl_expr_set_u8($0, attribute(NFTNL_EXPR_REJECT_CODE), family == .ipv4 ? 3 : 4)
      }
    }
  }

  private func compare(_ register: Register, _ operation: nft_cmp_ops, _ value: [UInt8]) -> OpaquePointer? {
    make("cmp") {
      $0.set(NFTNL_EXPR_CMP_SREG, register.number)
      $0.set(NFTNL_EXPR_CMP_OP, UInt32(operation.rawValue))
      $0.set(NFTNL_EXPR_CMP_DATA, value)
    }
  }

  private func make(_ name: String, _ fill: (OpaquePointer) -> Void) -> OpaquePointer? {
    guard let object = nftnl_expr_alloc(name) else { return nil }
    fill(object)
    return object
  }
}

extension OpaquePointer {
  fileprivate func set(_ name: some AttributeName, _ value: UInt32) { nftnl_expr_set_u32(self, name.number, value) }
  fileprivate func set(_ name: some AttributeName, _ value: [UInt8]) {
    value.withUnsafeBytes { _ = nftnl_expr_set(self, name.number, $0.baseAddress, UInt32(clamping: $0.count)) }
  }
  fileprivate func set(_ name: some AttributeName, _ value: String) { _ = nftnl_expr_set_str(self, name.number, value) }
}

/// libnftnl names expression attributes by anonymous enums, which arrive as `Int`.
private protocol AttributeName {
  var number: UInt16 { get }
}
extension Int: AttributeName {
  fileprivate var number: UInt16 { UInt16(truncatingIfNeeded: self) }
}
