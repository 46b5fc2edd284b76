import CIPVS

/// Elements as the kernel's sets take and list them (net/netfilter/ipset).
extension SetElement {
  /// The kernel wants to be told of numbers that they are in network order.
  private static let bigEndian = Int(NLA_F_NET_BYTEORDER)

  /// - Parameter isAddition: else the element is to be found only, and what hangs on it does not matter.
  func write(to builder: inout Request.Builder, isAddition: Bool) {
    builder.nest(IPSET_ATTR_DATA) { builder in
      switch self {
      case .frontend(_, let frontend): Self.put(frontend, to: &builder)
      case .address(let address): Self.put(IPSET_ATTR_IP, address, to: &builder)
      case .near(let frontend, let mark):
        Self.put(frontend, to: &builder)
        if isAddition { builder.put(IPSET_ATTR_SKBMARK | Self.bigEndian, (UInt64(mark) << 32 | UInt64(UInt32.max)).bigEndian) }
      case .allowed(let frontend, let network):
        Self.put(frontend, to: &builder)
        Self.put(IPSET_ATTR_IP2, network.address, to: &builder)
        builder.put(IPSET_ATTR_CIDR2, UInt8(truncatingIfNeeded: network.prefix))
      case .hairpin(let server, let proto):
        Self.put(Frontend(address: server.address, proto: proto, port: server.port), to: &builder)
        Self.put(IPSET_ATTR_IP2, server.address, to: &builder)
      case .network(_, let network):
        Self.put(IPSET_ATTR_IP, network.address, to: &builder)
        builder.put(IPSET_ATTR_CIDR, UInt8(truncatingIfNeeded: network.prefix))
      case .healthCheck(let port, _): builder.put(IPSET_ATTR_PORT | Self.bigEndian, port.bigEndian)
      }
    }
  }

  private static func put(_ frontend: Frontend, to builder: inout Request.Builder) {
    put(IPSET_ATTR_IP, frontend.address, to: &builder)
    builder.put(IPSET_ATTR_PORT | bigEndian, frontend.port.bigEndian)
    builder.put(IPSET_ATTR_PROTO, frontend.proto)
  }

  private static func put(_ type: Int, _ address: Address, to builder: inout Request.Builder) {
    builder.nest(type) { $0.put(addressType(address.family) | bigEndian, address: address) }
  }

  private static func addressType(_ family: Family) -> Int { family == .ipv4 ? IPSET_ATTR_IPADDR_IPV4 : IPSET_ATTR_IPADDR_IPV6 }

  // MARK: Reading

  /// nil: nothing we would put there.
  package init?(_ kind: SetKind, _ family: Family, netlink entry: ArraySlice<UInt8>) {
    var values = Values(family)
    for (type, value) in Attributes(entry) { values.take(type, value) }
    switch kind {
    case .addresses:
      guard let address = values.address else { return nil }
      self = .address(address)
    case .pods, .services:
      guard let address = values.address else { return nil }
      self = .network(kind, Network(address, prefix: values.prefix ?? family.width * 8))
    case .health:
      guard let port = values.port else { return nil }
      self = .healthCheck(port, family)
    default:
      guard let frontend = values.frontend else { return nil }
      self.init(kind, frontend, values)
    }
  }

  private init?(_ kind: SetKind, _ frontend: Frontend, _ values: Values) {
    switch kind {
    case .near:
      guard let mark = values.mark else { return nil }
      self = .near(frontend, mark: mark)
    case .allowed:
      guard let other = values.other else { return nil }
      self = .allowed(frontend, Network(other, prefix: values.otherPrefix ?? frontend.family.width * 8))
    case .hairpin:
      guard values.other == frontend.address else { return nil }
      self = .hairpin(RealServer(address: frontend.address, port: frontend.port), proto: frontend.proto)
    default: self = .frontend(kind, frontend)
    }
  }

  /// What an entry of a list says.
  private struct Values {
    let family: Family
    var address: Address?
    var other: Address?
    var prefix: Int?
    var otherPrefix: Int?
    var port: UInt16?
    var proto: UInt8?
    var mark: UInt32?

    init(_ family: Family) { self.family = family }

    /// As far as we can have put it there: sets know more protocols.
    var frontend: Frontend? {
      guard let address, let port, let proto, [Protocol.tcp, Protocol.udp, Protocol.sctp].contains(proto) else { return nil }
      return Frontend(address: address, proto: proto, port: port)
    }

    mutating func take(_ type: Int, _ value: ArraySlice<UInt8>) {
      switch type {
      case IPSET_ATTR_IP: address = address(in: value)
      case IPSET_ATTR_IP2: other = address(in: value)
      case IPSET_ATTR_CIDR: prefix = value.first.map(Int.init)
      case IPSET_ATTR_CIDR2: otherPrefix = value.first.map(Int.init)
      case IPSET_ATTR_PORT: port = value.number(at: 0, UInt16.self).map(UInt16.init(bigEndian:))
      case IPSET_ATTR_PROTO: proto = value.first
      case IPSET_ATTR_SKBMARK:
        // The mark, then its mask.
        mark = value.number(at: 0, UInt32.self).map(UInt32.init(bigEndian:))
      default: break
      }
    }

    private func address(in value: ArraySlice<UInt8>) -> Address? {
      for (type, bytes) in Attributes(value) where type == SetElement.addressType(family) && bytes.count == family.width {
        return Address(network: bytes, family)
      }
      return nil
    }
  }
}
