/// What stands in the kernel whatever the Services are: the maps, the base chains, and the shape of a class's chain.
///
///     nat prerouting, output ─> services ─┬─ @service_ips[address . protocol . port] ──────> class ─> @classes ──────────┐
///                                         └─ local address: @service_nodeports[protocol . port] ─> @nodeport_classes ────┤
///        chain of the class <────────────────────────────────────────────────────────────────────────────────────────────┘
///          mark for masquerading, where the class asks for it
///          dnat to @endpoints[address . protocol . port . random index]
///
/// A Service is elements of maps and nothing else, so its changes cost the same among ten Services and among ten thousand.
package struct Layout: Sendable {
  /// Grows when the maps or the meaning of their elements change; a table of another version is replaced in one transaction.
  package static let version = 1
  package static let table = "swiftlet"
  package static let tableComment = "service proxy of swiftlet, layout \(version)"
  package static let servicesChain = "services"
  package static let refuseChain = "refuse"
  package static let discardChain = "discard"

  package let family: Family
  package let settings: Settings

  package init(family: Family, settings: Settings) {
    self.family = family
    self.settings = settings
  }

  /// In the order of creation: a chain comes after those its rules jump to.
  package var baseChains: [Chain] {
    [
      Chain(name: Self.refuseChain, rules: refuseRules),
      Chain(name: Self.discardChain, rules: [Rule("no endpoint for traffic from here", [.verdict(.drop)])]),
      Chain(name: Self.servicesChain, rules: servicesRules),
      Chain(name: "nat_prerouting", hook: .prerouting, rules: [Rule("from pods and from outside", [.verdict(.jump(Self.servicesChain))])]),
      Chain(name: "nat_output", hook: .output, rules: [Rule("from this node", [.verdict(.jump(Self.servicesChain))])]),
      Chain(name: "nat_postrouting", hook: .postrouting, rules: postroutingRules),
    ]
  }

  /// The chain of a class that owns one; its connections come by a goto and never return.
  package func chain(for reference: ClassReference) -> Chain {
    let count = max(1, reference.serviceClass.endpoints)
    let map: MapKind = reference.isNodePort ? .nodePortEndpoints : .endpoints
    var rules = masqueradeRules(reference.serviceClass.masquerade ?? .hairpin)
    rules.append(Rule("one of \(count)", destination(map, below: count)))
    if count > 1 {
      // A packet that crosses a commit may have met the old class and now the new endpoints, which may be fewer.
      rules.append(Rule("endpoints are changing", destination(map, below: 1)))
    }
    // Not refused: the client's next attempt finds what the commit left.
    rules.append(Rule("endpoints are gone", [.verdict(.drop)]))
    return Chain(name: reference.chain, rules: rules)
  }
}

/// A chain with its rules.
package struct Chain: Equatable, Sendable {
  /// Where a base chain sits; always of type nat.
  package enum Hook: UInt32, Sendable {
    case prerouting = 0
    case output = 3
    case postrouting = 4

    /// NF_IP_PRI_NAT_DST and NF_IP_PRI_NAT_SRC, as everybody's nat.
    package var priority: Int32 { self == .postrouting ? 100 : -100 }
  }

  package let name: String
  package let hook: Hook?
  package let rules: [Rule]

  package init(name: String, hook: Hook? = nil, rules: [Rule]) {
    self.name = name
    self.hook = hook
    self.rules = rules
  }
}

extension Layout {
  private var widthWords: Int { family.words }
  private var addressRegister: Register { Register(0) }
  private var sourceOffset: UInt32 { family == .ipv4 ? 12 : 8 }
  private var destinationOffset: UInt32 { family == .ipv4 ? 16 : 24 }
  private var addressLength: UInt32 { UInt32(clamping: family.width) }

  private func source(to register: Register) -> Expression {
    .payload(.network, offset: sourceOffset, length: addressLength, to: register)
  }

  private func destination(to register: Register) -> Expression {
    .payload(.network, offset: destinationOffset, length: addressLength, to: register)
  }

  /// Loads a front end's key from register 0 on; answers the first register behind it.
  private func frontendKey(_ map: MapKind) -> (load: [Expression], next: Int) {
    var load: [Expression] = []
    var next = 0
    if map == .serviceIPs || map == .endpoints {
      load.append(destination(to: addressRegister))
      next = widthWords
    }
    load.append(.meta(.l4proto, to: Register(next)))
    load.append(.payload(.transport, offset: 2, length: 2, to: Register(next + 1)))
    return (load, next + 2)
  }

  private func destination(_ map: MapKind, below count: UInt32) -> [Expression] {
    let key = frontendKey(map)
    return key.load + [
      .random(below: count, to: Register(key.next)),
      .lookup(map, from: Register(0), to: Register(0)),
      .destinationNAT(family, address: Register(0), port: Register(widthWords)),
    ]
  }

  private var refuseRules: [Rule] {
    [
      Rule("no endpoint", [.meta(.l4proto, to: Register(0)), .equal(Register(0), [Protocol.tcp]), .reject(.tcpReset)]),
      Rule("no endpoint", [.reject(.portUnreachable(family))]),
    ]
  }

  private var servicesRules: [Rule] {
    [Rule("cluster, external and load balancer addresses", dispatch(.serviceIPs, .classes, only: []))]
      + nodePortConditions.map { Rule("node ports", dispatch(.serviceNodePorts, .nodePortClasses, only: $0)) }
  }

  /// From a front end to its class to the class's chain.
  ///
  /// The class travels from one look-up to the next through the packet's mark, whose old value is put back before the rule
  /// ends. Registers alone would do for the kernel, but nft 1.0.6 ends with an assertion while it lists a look-up whose
  /// key is another look-up's result; "meta mark set … map" and "meta mark vmap" it knows.
  private func dispatch(_ frontends: MapKind, _ classes: MapKind, only conditions: [Expression]) -> [Expression] {
    let key = frontendKey(frontends)
    let saved = Register(14)
    let chosen = Register(15)
    return key.load + [.lookup(frontends, from: Register(0), to: Register(0))] + conditions + [
      .meta(.mark, to: saved),
      .setMeta(.mark, from: Register(0)),
      .meta(.mark, to: chosen),
      .setMeta(.mark, from: saved),
      .follow(classes, from: chosen),
    ]
  }

  /// One list for each network node ports answer on; in registers a front end's key and class leave free. The route type
  /// is asked last because it costs a route look-up.
  private var nodePortConditions: [[Expression]] {
    let register = Register(8)
    let localType = withUnsafeBytes(of: UInt32(2)) { Array($0) }
    let local: [Expression] = [.destinationType(to: register), .equal(register, localType)]
    if settings.nodePortNetworks.isEmpty { return [notLoopback(register) + local] }
    return settings.nodePortNetworks.filter { $0.family == family }.map { network in
      notLoopback(register) + [destination(to: register)] + match(network, register, inverted: false) + local
    }
  }

  /// A connection to loopback cannot be sent elsewhere: its packets would be martians on the way back.
  private func notLoopback(_ register: Register) -> [Expression] {
    let loopback = family == .ipv4 ? Network("127.0.0.0/8") : Network("::1/128")
    guard let loopback else { return [] }
    return [destination(to: register)] + match(loopback, register, inverted: true)
  }

  private func match(_ network: Network, _ register: Register, inverted: Bool) -> [Expression] {
    var match: [Expression] = []
    if network.prefix < family.width * 8 {
      match.append(.bitwise(register, mask: network.mask, flip: [UInt8](repeating: 0, count: family.width)))
    }
    let bytes = network.address.network(family)
    match.append(inverted ? .notEqual(register, bytes) : .equal(register, bytes))
    return match
  }

  private var markBytes: [UInt8] { withUnsafeBytes(of: settings.masqueradeMark) { Array($0) } }
  private var otherMarkBytes: [UInt8] { withUnsafeBytes(of: ~settings.masqueradeMark) { Array($0) } }

  private func masqueradeRules(_ masquerade: ServiceClass.Masquerade) -> [Rule] {
    let mark: [Expression] = [
      .meta(.mark, to: Register(0)), .bitwise(Register(0), mask: otherMarkBytes, flip: markBytes),
      .setMeta(.mark, from: Register(0)),
    ]
    switch masquerade {
    case .hairpin: return []
    case .always: return [Rule("masquerade", mark)]
    case .outside:
      let networks = settings.clusterNetworks.filter { $0.family == family }
      if networks.isEmpty { return [] }
      let conditions = networks.flatMap { [source(to: Register(0))] + match($0, Register(0), inverted: true) }
      return [Rule("masquerade what does not come from a pod", conditions + mark)]
    }
  }

  private var postroutingRules: [Rule] {
    let zero = [UInt8](repeating: 0, count: 4)
    let dnat: UInt32 = 1 << 5
    let dnatBytes = withUnsafeBytes(of: dnat) { Array($0) }
    let all = [UInt8](repeating: 0xff, count: 4)
    return [
      Rule(
        "marked for masquerading",
        [
          .meta(.mark, to: Register(0)), .bitwise(Register(0), mask: markBytes, flip: zero), .notEqual(Register(0), zero),
          .meta(.mark, to: Register(0)), .bitwise(Register(0), mask: all, flip: markBytes), .setMeta(.mark, from: Register(0)),
          .masquerade,
        ]),
      Rule(
        "a pod that reaches itself through a service",
        [
          .connectionStatus(to: Register(0)), .bitwise(Register(0), mask: dnatBytes, flip: zero), .notEqual(Register(0), zero),
          source(to: Register(0)), destination(to: Register(widthWords)), .lookup(.hairpin, from: Register(0), to: nil),
          .masquerade,
        ]),
    ]
  }
}
