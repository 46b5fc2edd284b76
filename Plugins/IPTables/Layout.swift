/// What stands in the kernel whatever the Services are, of one family.
///
///     nat     PREROUTING, OUTPUT ──> SERVICES ─┬─> ADDRESSES ─> IP-nn (last six bits of the address) ─> chains of a service port
///                                              └─> NODEPORTS (for local addresses) ────────────────────> chains of a service port
///     nat     POSTROUTING ─────────> POSTROUTING ─> MASQUERADE (what is marked), HAIRPIN (a pod that reaches itself)
///     filter  INPUT, FORWARD, OUTPUT ─> UNSERVED, for new connections nat sent nowhere: the same tree, then service networks
///     filter  INPUT ───────────────> HEALTH: accept load balancers' health checks, which the node itself answers
///     filter  FORWARD ─────────────> FORWARD: drop invalid packets, accept what Services need
///
/// Chains of one service port, named by a digest of its key:
///
///     CH, CO, CA, LH, LO, LA   a rule for each endpoint: of the cluster or local ones, masquerading for hairpin only, from outside
///                              or always
///     NH, NO, NA               near clients to a chain C…, others to a chain L…
///     SCH … SNA                sources in the ranges to the chain behind the S
///     SR, SD (filter)          source ranges of a service port without endpoints
package struct Layout: Sendable {
  package let family: Family
  package let settings: Settings
  /// Loopback routing is on and cannot be turned off: see `LoopbackRouting`.
  package var keepsLoopbackGuard = false

  package init(family: Family, settings: Settings) {
    self.family = family
    self.settings = settings
  }

  package var tellsPods: Bool { !settings.podMatches(family).isEmpty }

  /// A rule for each endpoint on this node, which hides a pod that reaches itself.
  package static let hairpins = ChainID(.nat, ChainName.hairpin)

  /// Their rules belong to Services and have no order.
  package static let shared: [ChainID] = [
    ChainID(.filter, ChainName.addresses), ChainID(.filter, ChainName.nodePorts), ChainID(.filter, ChainName.health),
    ChainID(.nat, ChainName.addresses), ChainID(.nat, ChainName.nodePorts), hairpins,
  ]

  /// Chains with all their rules.
  package var fixed: [ChainID: [RuleText]] {
    var chains: [ChainID: [RuleText]] = [
      ChainID(.nat, ChainName.services): servicesRules,
      ChainID(.nat, ChainName.mark): [
        "\(Rule.comment("ask for masquerading")) -j MARK --set-xmark \(settings.masqueradeMark)/\(settings.masqueradeMark)"
      ],
      ChainID(.nat, ChainName.masquerade): [
        "\(Rule.comment("others see the mark as it was")) -j MARK --set-xmark \(settings.masqueradeMark)/0x0",
        "\(Rule.comment("with an address of this node")) -j MASQUERADE --random-fully",
      ],
      ChainID(.nat, ChainName.postrouting): postroutingRules,
      ChainID(.filter, ChainName.unserved): unservedRules,
      ChainID(.filter, ChainName.forward): forwardRules,
    ]
    if tellsPods { chains[ChainID(.nat, ChainName.outside)] = outsideRules }
    if guardsLoopback { chains[ChainID(.filter, ChainName.localnet)] = localnetRules }
    return chains
  }

  /// Rules of the kernel's own chains, first to last; they go to the top, as kube-proxy's do.
  package var jumps: [ChainID: [RuleText]] {
    func jump(_ text: String, _ match: String = "", to chain: String) -> RuleText { "\(match)\(Rule.comment(text)) -j \(chain)" }
    let new = "-m conntrack --ctstate NEW -m conntrack ! --ctstate DNAT "
    let unserved = jump("new connections no service took", new, to: ChainName.unserved)
    let localnet = jump("guard loopback addresses", to: ChainName.localnet)
    // As kube-proxy's KUBE-NODEPORTS of the filter table, for all packets and not only the first: with the policy DROP those that
    // follow need it too. Behind the refusals, so that it opens nothing a Service keeps closed.
    let health = jump("health checks of load balancers", "-p tcp ", to: ChainName.health)
    return [
      ChainID(.nat, "PREROUTING"): [jump("services, from pods and from outside", to: ChainName.services)],
      ChainID(.nat, "OUTPUT"): [jump("services, from this node", to: ChainName.services)],
      ChainID(.nat, "POSTROUTING"): [jump("services, masquerading", to: ChainName.postrouting)],
      ChainID(.filter, "INPUT"): (guardsLoopback ? [localnet] : []) + [unserved, health],
      ChainID(.filter, "FORWARD"): [unserved, jump("forwarding for services", to: ChainName.forward)],
      ChainID(.filter, "OUTPUT"): [unserved],
    ]
  }

  /// IPv6 has no way to route from ::1, as route_localnet has for 127/8.
  private var hasLoopbackNodePorts: Bool { settings.hasLocalhostNodePorts && family == .ipv4 }

  private var guardsLoopback: Bool { hasLoopbackNodePorts || keepsLoopbackGuard && family == .ipv4 }

  /// Not asked of node ports of a family that has none.
  private var hasNodePorts: Bool { settings.nodePortNetworks.isEmpty || settings.nodePortNetworks.contains { $0.family == family } }

  private var loopback: String { family == .ipv4 ? "127.0.0.0/8" : "::1/128" }

  private var nodePortRules: [RuleText] {
    let toNodePorts = "-m addrtype --dst-type LOCAL \(Rule.comment("node ports")) -j \(ChainName.nodePorts)"
    var rules: [RuleText] = []
    let loopbackRule = hasLoopbackNodePorts ? toNodePorts : "\(Rule.comment("loopback has no node ports")) -j RETURN"
    let networks = settings.nodePortNetworks.filter { $0.family == family }
    if settings.nodePortNetworks.isEmpty {
      return (hasLoopbackNodePorts ? [] : ["-d \(loopback) \(loopbackRule)"]) + [toNodePorts]
    }
    if hasNodePorts || hasLoopbackNodePorts { rules.append("-d \(loopback) \(loopbackRule)") }
    return rules + networks.map { "\(Rule.destination($0))\(toNodePorts)" }
  }

  private var addressesRule: RuleText {
    "\(Rule.comment("cluster, external and load balancer addresses")) -j \(ChainName.addresses)"
  }

  private var servicesRules: [RuleText] { [addressesRule] + nodePortRules }

  private var outsideRules: [RuleText] {
    settings.podMatches(family).map { "\($0)\(Rule.comment("from a pod")) -j RETURN" }
      + ["\(Rule.comment("not from a pod of this node")) -j \(ChainName.mark)"]
  }

  private var postroutingRules: [RuleText] {
    let mark = settings.masqueradeMark
    var rules = ["-m mark --mark \(mark)/\(mark) \(Rule.comment("marked by a service")) -j \(ChainName.masquerade)"]
    if hasLoopbackNodePorts {
      let text = Rule.comment("node ports at loopback")
      rules.append("-s \(loopback) ! -o lo -m conntrack --ctstate DNAT \(text) -j MASQUERADE --random-fully")
    }
    return rules + ["-m conntrack --ctstate DNAT \(Rule.comment("pods that reach themselves")) -j \(ChainName.hairpin)"]
  }

  /// Where loopback node ports need their RETURN, refusing in service networks has to come first: those are never loopback.
  private var unservedRules: [RuleText] {
    let refusals = settings.serviceNetworks.filter { $0.family == family }.flatMap { network in
      [Protocol.tcp, nil].map { proto in
        let match = "\(Rule.destination(network))\(proto.map { "-p \($0.name) " } ?? "")"
        return "\(match)\(Rule.comment("no service has this address and port")) \(Rule.refusal(.refuse, proto, family))"
      }
    }
    return [addressesRule] + refusals + nodePortRules
  }

  private var forwardRules: [RuleText] {
    let mark = settings.masqueradeMark
    // kubernetes/kubernetes#74839: what conntrack calls invalid leaves with the pod's address, and the peer answers with a reset.
    let invalid = settings.dropsInvalid ? ["-m conntrack --ctstate INVALID \(Rule.comment("packets of no connection")) -j DROP"] : []
    return invalid + [
      "-m mark --mark \(mark)/\(mark) \(Rule.comment("marked by a service")) -j ACCEPT",
      "-m conntrack --ctstate RELATED,ESTABLISHED \(Rule.comment("connections that are accepted")) -j ACCEPT",
    ]
  }

  /// With route_localnet a neighbour could send to 127.0.0.1 of this node (CVE-2020-8558).
  private var localnetRules: [RuleText] {
    let state = "-m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT"
    return ["! -s \(loopback) -d \(loopback) \(state) \(Rule.comment("loopback addresses from elsewhere")) -j DROP"]
  }
}
