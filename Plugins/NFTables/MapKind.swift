/// The maps (and one set) of a table.
package enum MapKind: Int, Sendable, CaseIterable {
  /// address . protocol . port -> class
  case serviceIPs
  /// protocol . port -> class
  case serviceNodePorts
  /// address . protocol . port . index -> endpoint address . port
  case endpoints
  /// protocol . port . index -> endpoint address . port
  case nodePortEndpoints
  /// class -> chain
  case classes
  case nodePortClasses
  /// endpoint address . endpoint address, those on this node
  case hairpin

  package var name: String {
    switch self {
    case .serviceIPs: "service_ips"
    case .serviceNodePorts: "service_nodeports"
    case .endpoints: "endpoints"
    case .nodePortEndpoints: "nodeport_endpoints"
    case .classes: "classes"
    case .nodePortClasses: "nodeport_classes"
    case .hairpin: "hairpin"
    }
  }

  /// A part of a concatenation; each takes whole 32-bit words.
  package enum Part: Sendable {
    case address, proto, port
    /// An index or a class. Typed as a mark, so that nft prints a plain number.
    case number
  }

  package var key: [Part] {
    switch self {
    case .serviceIPs: [.address, .proto, .port]
    case .serviceNodePorts: [.proto, .port]
    case .endpoints: [.address, .proto, .port, .number]
    case .nodePortEndpoints: [.proto, .port, .number]
    case .classes, .nodePortClasses: [.number]
    case .hairpin: [.address, .address]
    }
  }

  package enum Value: Equatable, Sendable {
    case none
    case verdict
    case parts([Part])
  }

  package var value: Value {
    switch self {
    case .serviceIPs, .serviceNodePorts: .parts([.number])
    case .endpoints, .nodePortEndpoints: .parts([.address, .port])
    case .classes, .nodePortClasses: .verdict
    case .hairpin: .none
    }
  }

  package static func frontends(isNodePort: Bool) -> MapKind { isNodePort ? .serviceNodePorts : .serviceIPs }
  package static func endpoints(isNodePort: Bool) -> MapKind { isNodePort ? .nodePortEndpoints : .endpoints }
  package static func classes(isNodePort: Bool) -> MapKind { isNodePort ? .nodePortClasses : .classes }
}

extension MapKind.Part {
  /// Bytes with padding.
  package func width(_ family: Family) -> Int { self == .address ? family.width : 4 }

  /// nft's number of the data type, which the kernel keeps for whoever lists the map.
  package func type(_ family: Family) -> UInt32 {
    switch self {
    case .address: family == .ipv4 ? 7 : 8
    case .proto: 12
    case .port: 13
    case .number: 19
    }
  }
}

extension [MapKind.Part] {
  package func width(_ family: Family) -> Int { reduce(0) { $0 + $1.width(family) } }
  /// nft packs the types of a concatenation six bits each.
  package func type(_ family: Family) -> UInt32 { reduce(0) { $0 << 6 | $1.type(family) } }
}
