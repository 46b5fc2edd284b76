/// What stands in the kernel whatever the Services are: the maps and the base chains. The chains of classes are beside, in
/// `ClassChain`.
///
///     nat prerouting, output ─> services ─┬─ @service_ips[address . protocol . port] ──────> class ─> @classes ──────────┐
///                                         ├─ local address: @service_nodeports[protocol . port] ─> @nodeport_classes ────┤
///                                         └─ address of the service ranges: refused                                      │
///        chain of the class <────────────────────────────────────────────────────────────────────────────────────────────┘
///          sources outside of @source_ranges are dropped, where the class asks for it
///          mark for masquerading, where the class asks for it
///          those who are near go to a chain of their own, where they are served otherwise
///          dnat to @endpoints[address . protocol . port . random index], or with session affinity:
///             @affinity[client . front end], else @affinity_slots[front end . random index] ─> place ─> @affinity_chains
///        chain of the place: remember the client, dnat to @endpoints[address . protocol . port . place]
///
/// A Service is elements of maps and nothing else, so its changes cost the same among ten Services and among ten thousand.
package struct Layout: Sendable {
  /// Grows when the maps or the meaning of their elements change; a table of another version is replaced in one transaction.
  package static let version = 3
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

  var match: Match { Match(family: family, settings: settings) }

  /// In the order of creation: a chain comes after those its rules jump to.
  package var baseChains: [Chain] {
    let chains = [
      Chain(name: Self.refuseChain, rules: refuseRules),
      Chain(name: Self.discardChain, rules: [Rule("no endpoint for traffic from here", [.verdict(.drop)])]),
      Chain(name: Self.outsideChain(isNodePort: false), rules: outsideRules(isNodePort: false)),
      Chain(name: Self.outsideChain(isNodePort: true), rules: outsideRules(isNodePort: true)),
      Chain(name: Self.servicesChain, rules: servicesRules),
      Chain(name: "nat_prerouting", hook: .prerouting, rules: [Rule("from pods and from outside", [.verdict(.jump(Self.servicesChain))])]),
      Chain(name: "nat_output", hook: .output, rules: [Rule("from this node", [.verdict(.jump(Self.servicesChain))])]),
      Chain(name: "nat_postrouting", hook: .postrouting, rules: postroutingRules),
    ]
    return settings.dropInvalid ? chains + [Chain(name: "filter_forward", hook: .forward, rules: forwardRules)] : chains
  }

  /// For sources a front end does not serve.
  static func outsideChain(isNodePort: Bool) -> String { isNodePort ? "nodeport_outside_ranges" : "outside_ranges" }

  /// Finds the element that counts; goes on whether there is one or not.
  func count(_ reason: ServiceClass.Refused, isNodePort: Bool) -> Rule {
    let map = MapKind.refusals(isNodePort: isNodePort)
    let key = match.key(map)
    return Rule(
      "count it", key.load + [.random(below: 1, offset: reason.rawValue, to: Register(key.next)), .lookup(map, from: Register(0), to: nil)])
  }

  private var refuseRules: [Rule] {
    [
      Rule("no endpoint", [.meta(.l4proto, to: Register(0)), .equal(Register(0), [Protocol.tcp]), .reject(.tcpReset)]),
      Rule("no endpoint", [.reject(.portUnreachable(family))]),
    ]
  }

  private func outsideRules(isNodePort: Bool) -> [Rule] {
    [count(.source, isNodePort: isNodePort), Rule("source is in no source range", [.verdict(.drop)])]
  }

  private var servicesRules: [Rule] {
    [Rule("cluster, external and load balancer addresses", dispatch(.serviceIPs, .classes))]
      + nodePortConditions.map { Rule("node ports", $0 + dispatch(.serviceNodePorts, .nodePortClasses)) }
      + settings.serviceNetworks.filter { $0.family == family }.map { network in
        Rule(
          "no service port has it",
          [match.destination(to: Register(0))] + match.address(in: Register(0), network, inverted: false)
            + [.verdict(.goto(Self.refuseChain))])
      }
  }

  /// From a front end to its class to the class's chain. The look-up counts, so it comes behind all conditions.
  private func dispatch(_ frontends: MapKind, _ classes: MapKind) -> [Expression] {
    match.key(frontends).load + [.lookup(frontends, from: Register(0), to: Register(0))] + match.follow(classes)
  }

  /// One list for each network node ports answer on. The route type is asked last because it costs a route look-up.
  private var nodePortConditions: [[Expression]] {
    let local = match.isLocal(.destination)
    if settings.nodePortNetworks.isEmpty { return [notLoopback + local] }
    return settings.nodePortNetworks.filter { $0.family == family }.map { network in
      notLoopback + [match.destination(to: Register(0))] + match.address(in: Register(0), network, inverted: false) + local
    }
  }

  /// A connection to loopback cannot be sent elsewhere: its packets would be martians on the way back.
  private var notLoopback: [Expression] {
    let loopback = family == .ipv4 ? Network("127.0.0.0/8") : Network("::1/128")
    guard let loopback else { return [] }
    return [match.destination(to: Register(0))] + match.address(in: Register(0), loopback, inverted: true)
  }

  private var postroutingRules: [Rule] {
    let zero = [UInt8](repeating: 0, count: 4)
    let all = [UInt8](repeating: 0xff, count: 4)
    // IPS_DST_NAT.
    let dnat = withUnsafeBytes(of: UInt32(1 << 5)) { Array($0) }
    let marked: [Expression] = [
      .meta(.mark, to: Register(0)), .bitwise(Register(0), mask: match.markBytes, flip: zero), .notEqual(Register(0), zero),
      .meta(.mark, to: Register(0)), .bitwise(Register(0), mask: all, flip: match.markBytes), .setMeta(.mark, from: Register(0)),
    ]
    return [
      Rule("marked for masquerading", marked + [.masquerade]),
      Rule(
        "a pod that reaches itself through a service",
        [
          .connectionStatus(to: Register(0)), .bitwise(Register(0), mask: dnat, flip: zero), .notEqual(Register(0), zero),
          match.source(to: Register(0)), match.destination(to: Register(family.words)), .lookup(.hairpin, from: Register(0), to: nil),
          .masquerade,
        ]),
    ]
  }

  /// A late packet of a connection conntrack has forgotten would go on without translation, and the pod that gets it resets
  /// a living one: kubernetes/kubernetes#74839.
  private var forwardRules: [Rule] {
    let zero = [UInt8](repeating: 0, count: 4)
    // NF_CT_STATE_INVALID_BIT.
    let invalid = withUnsafeBytes(of: UInt32(1)) { Array($0) }
    return [
      Rule(
        "conntrack does not know what it belongs to",
        [
          .connectionState(to: Register(0)), .bitwise(Register(0), mask: invalid, flip: zero), .notEqual(Register(0), zero),
          .verdict(.drop),
        ])
    ]
  }
}
