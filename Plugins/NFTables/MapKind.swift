/// The maps and sets of a table. Most exist twice: for front ends with an address and for node ports, whose key has none.
package enum MapKind: Int, Sendable, CaseIterable {
  /// address . protocol . port -> class
  case serviceIPs
  /// protocol . port -> class
  case serviceNodePorts
  /// front end . index -> endpoint address . port
  case endpoints, nodePortEndpoints
  /// front end . index -> place of the endpoint, for session affinity
  case affinitySlots, nodePortAffinitySlots
  /// client . front end -> place of its endpoint; written by packets
  case affinity, nodePortAffinity
  /// client networks . front end
  case sourceRanges, nodePortSourceRanges
  /// front end . reason, to count what is refused
  case refusals, nodePortRefusals
  /// place -> chain
  case affinityChains, nodePortAffinityChains
  /// class -> chain
  case classes, nodePortClasses
  /// endpoint address . endpoint address, those on this node
  case hairpin

  package var name: String {
    switch self {
    case .serviceIPs: "service_ips"
    case .serviceNodePorts: "service_nodeports"
    case .endpoints: "endpoints"
    case .nodePortEndpoints: "nodeport_endpoints"
    case .affinitySlots: "affinity_slots"
    case .nodePortAffinitySlots: "nodeport_affinity_slots"
    case .affinity: "affinity"
    case .nodePortAffinity: "nodeport_affinity"
    case .sourceRanges: "source_ranges"
    case .nodePortSourceRanges: "nodeport_source_ranges"
    case .refusals: "refusals"
    case .nodePortRefusals: "nodeport_refusals"
    case .affinityChains: "affinity_chains"
    case .nodePortAffinityChains: "nodeport_affinity_chains"
    case .classes: "classes"
    case .nodePortClasses: "nodeport_classes"
    case .hairpin: "hairpin"
    }
  }

  /// A part of a concatenation; each takes whole 32-bit words.
  package enum Part: Sendable {
    case address, proto, port
    /// The client's address, or a network of clients.
    case source
    /// An index, a class or a place. Typed as a mark, so that nft prints a plain number.
    case number
  }

  package var key: [Part] {
    switch self {
    case .serviceIPs: [.address, .proto, .port]
    case .serviceNodePorts: [.proto, .port]
    case .endpoints, .affinitySlots, .refusals: [.address, .proto, .port, .number]
    case .nodePortEndpoints, .nodePortAffinitySlots, .nodePortRefusals: [.proto, .port, .number]
    case .affinity, .sourceRanges: [.source, .address, .proto, .port]
    case .nodePortAffinity, .nodePortSourceRanges: [.source, .proto, .port]
    case .affinityChains, .nodePortAffinityChains, .classes, .nodePortClasses: [.number]
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
    case .serviceIPs, .serviceNodePorts, .affinitySlots, .nodePortAffinitySlots, .affinity, .nodePortAffinity: .parts([.number])
    case .endpoints, .nodePortEndpoints: .parts([.address, .port])
    case .affinityChains, .nodePortAffinityChains, .classes, .nodePortClasses: .verdict
    case .sourceRanges, .nodePortSourceRanges, .refusals, .nodePortRefusals, .hairpin: .none
    }
  }

  /// Each element counts the packets that found it.
  package var isCounted: Bool {
    switch self {
    case .serviceIPs, .serviceNodePorts, .refusals, .nodePortRefusals: true
    default: false
    }
  }

  /// Keys are ranges in their first part and single values in the others.
  package var isInterval: Bool { self == .sourceRanges || self == .nodePortSourceRanges }

  /// Packets add elements, which go by themselves.
  package var isDynamic: Bool { self == .affinity || self == .nodePortAffinity }
  /// So many clients of all Services are remembered; without a number the kernel takes 65,535 (kube-proxy: as many for each endpoint).
  /// One takes some 100 bytes, for as long as the affinity lasts.
  package static let clients: UInt32 = 1 << 18

  package var isNodePort: Bool {
    switch self {
    case .serviceNodePorts, .nodePortEndpoints, .nodePortAffinitySlots, .nodePortAffinity, .nodePortSourceRanges, .nodePortRefusals,
      .nodePortAffinityChains, .nodePortClasses:
      true
    default: false
    }
  }
}

extension MapKind {
  package static func frontends(isNodePort: Bool) -> MapKind { isNodePort ? .serviceNodePorts : .serviceIPs }
  package static func endpoints(isNodePort: Bool) -> MapKind { isNodePort ? .nodePortEndpoints : .endpoints }
  package static func affinitySlots(isNodePort: Bool) -> MapKind { isNodePort ? .nodePortAffinitySlots : .affinitySlots }
  package static func affinity(isNodePort: Bool) -> MapKind { isNodePort ? .nodePortAffinity : .affinity }
  package static func sourceRanges(isNodePort: Bool) -> MapKind { isNodePort ? .nodePortSourceRanges : .sourceRanges }
  package static func refusals(isNodePort: Bool) -> MapKind { isNodePort ? .nodePortRefusals : .refusals }
  package static func affinityChains(isNodePort: Bool) -> MapKind { isNodePort ? .nodePortAffinityChains : .affinityChains }
  package static func classes(isNodePort: Bool) -> MapKind { isNodePort ? .nodePortClasses : .classes }
}

extension MapKind.Part {
  /// Bytes with padding.
  package func width(_ family: Family) -> Int { self == .address || self == .source ? family.width : 4 }

  /// The lengths of the fields a set of intervals sees it as.
  ///
  /// An IPv6 address is four: the ranges of its words make the same network as one range of the whole, and kernels of before mid-2025
  /// with AVX2 get fields of 16 bytes wrong. They leave the sixth byte out of account (`nft_pipapo_avx2_lookup_8b_16`, seen with
  /// 5.15.55: a source of another /48 passed), which is to open source ranges to strangers.
  package func fields(_ family: Family) -> [UInt8] {
    switch self {
    case .address, .source: Array(repeating: 4, count: family.words)
    case .proto: [1]
    case .port: [2]
    case .number: [4]
    }
  }

  /// nft's number of the data type, which the kernel keeps for whoever lists the map.
  package func type(_ family: Family) -> UInt32 {
    switch self {
    case .address, .source: family == .ipv4 ? 7 : 8
    case .proto: 12
    case .port: 13
    case .number: 19
    }
  }

  /// nft's name of the type.
  package func name(_ family: Family) -> String {
    switch self {
    case .address, .source: family == .ipv4 ? "ipv4_addr" : "ipv6_addr"
    case .proto: "inet_proto"
    case .port: "inet_service"
    case .number: "mark"
    }
  }
}

extension [MapKind.Part] {
  package func width(_ family: Family) -> Int { reduce(0) { $0 + $1.width(family) } }
  /// nft packs the types of a concatenation six bits each.
  package func type(_ family: Family) -> UInt32 { reduce(0) { $0 << 6 | $1.type(family) } }
  package func name(_ family: Family) -> String { map { $0.name(family) }.joined(separator: " . ") }
}

extension MapKind {
  /// As nft lists it, without the elements.
  package func definition(_ family: Family) -> [String] {
    var lines = ["type \(key.name(family))"]
    switch value {
    case .none: break
    case .verdict: lines[0] += " : verdict"
    case .parts(let parts): lines[0] += " : \(parts.name(family))"
    }
    if isDynamic { lines += ["size \(Self.clients)", "flags dynamic,timeout"] }
    if isInterval { lines.append("flags interval") }
    if isCounted { lines.append("counter") }
    return lines
  }
}
