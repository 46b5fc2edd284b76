/// The static iptables rules: the same whatever Services there are; the sets tell them about those. Written as iptables-save
/// prints them, so that what stands can be compared with what should.
///
/// IPVS takes packets of others behind the chain INPUT of the table filter, but the node's own before that table's OUTPUT; so
/// what must be dropped of the node's own is dropped in mangle. Packets of connections that exist meet a rule or two each.
package struct Rules: Equatable, Sendable {
  package struct Chain: Equatable, Sendable {
    package var table: String
    package var name: String
    package var parents: [String]
    package var rules: [String]

    /// Without "-A PARENT".
    package var jump: String { "-m comment --comment \"swiftlet services\" -j \(name)" }
  }

  package let family: Family
  package let chains: [Chain]

  package static let prefix = "SWIFTLET-IPVS-"

  package init(_ family: Family, _ settings: Settings) {
    self.family = family
    let writer = Writer(family: family, settings: settings)
    chains = [
      Chain(table: "mangle", name: Self.prefix + "NEAR", parents: ["PREROUTING"], rules: writer.near),
      Chain(table: "mangle", name: Self.prefix + "OUTPUT", parents: ["OUTPUT"], rules: writer.mangleOutput),
      Chain(table: "nat", name: Self.prefix + "PREROUTING", parents: ["PREROUTING"], rules: writer.natPrerouting),
      Chain(table: "nat", name: Self.prefix + "OUTPUT", parents: ["OUTPUT"], rules: writer.natOutput),
      Chain(table: "nat", name: Self.prefix + "POSTROUTING", parents: ["POSTROUTING"], rules: writer.natPostrouting),
      Chain(table: "filter", name: Self.prefix + "INPUT", parents: ["INPUT"], rules: writer.filterInput),
      Chain(table: "filter", name: Self.prefix + "OUTPUT", parents: ["OUTPUT"], rules: writer.filterOutput),
      Chain(table: "filter", name: Self.prefix + "FORWARD", parents: ["FORWARD"], rules: writer.filterForward),
    ]
  }

  package static let tables = ["mangle", "nat", "filter"]

  /// How many rules ask each set.
  package func references(to kind: SetKind) -> Int {
    let name = " \(kind.name(family)) "
    return chains.reduce(0) { sum, chain in
      sum + chain.rules.reduce(0) { $0 + $1.split(separator: " ").count(where: { " \($0) " == name }) }
    }
  }
}

/// Writes the chains of one family.
private struct Writer {
  let family: Family
  let settings: Settings

  private func match(_ kind: SetKind, _ directions: String, not: Bool = false) -> String {
    "-m set \(not ? "! " : "")--match-set \(kind.name(family)) \(directions)"
  }

  private func hex(_ value: UInt32) -> String { "0x\(String(value, radix: 16))" }

  private var isNew: String { "-m conntrack --ctstate NEW" }
  private var bit: String { hex(settings.mark.masquerade) }
  private var nearMark: String { "--mark \(hex(settings.mark.pattern))/\(hex(settings.mark.mask))" }
  private var setMark: String { "-j MARK --set-xmark \(bit)/\(bit)" }
  private var divert: String { "-j SET --map-set \(SetKind.near.name(family)) dst,dst --map-mark" }

  /// What a pod of this node comes from, for `-A`; nil: that is not known.
  private func pod(not: Bool = false) -> String? {
    let sign = not ? "! " : ""
    return switch settings.detection(of: family) {
    case .none: nil
    case .networks: match(.pods, "src", not: not)
    case .interface(let name): "\(sign)-i \(name)"
    case .interfacePrefix(let prefix): "\(sign)-i \(prefix)+"
    }
  }

  var near: [String] { pod().map { ["\($0) \(isNew) \(divert)"] } ?? [] }

  /// A near client met here goes where near clients go, so it is the sources that count and not that others are dropped.
  var mangleOutput: [String] {
    [
      "\(isNew) \(match(.restricted, "dst,dst")) \(match(.allowed, "dst,dst,src", not: true)) -j DROP",
      "\(isNew) \(divert)",
      "\(isNew) -m mark ! \(nearMark) \(match(.drop, "dst,dst")) -j DROP",
    ]
  }

  /// A mark of a near connection has the bit already where it shall have it, and no other bit may be added.
  var natPrerouting: [String] {
    ["-m mark \(nearMark) -j RETURN", "\(match(.masqueradeAlways, "dst,dst")) \(setMark)"]
      + (pod(not: true).map { ["\($0) \(match(.masqueradeOutside, "dst,dst")) \(setMark)"] } ?? [])
  }

  var natOutput: [String] {
    ["-m mark \(nearMark) -j RETURN", "\(match(.masqueradeAlways, "dst,dst")) \(setMark)"]
      + (settings.detection(of: family) == .none ? [] : ["\(match(.masqueradeOutside, "dst,dst")) \(setMark)"])
  }

  /// The node reaches an address of the dummy interface from that same address: with it nobody could answer. Nor could an endpoint
  /// elsewhere where it is an address other nodes have bound, or one of another network: the node as a near client is masqueraded.
  var natPostrouting: [String] {
    [
      "-m mark \(nearMark) -m addrtype --src-type LOCAL \(setMark)",
      "-m mark \(nearMark) -j MARK --set-xmark 0x0/\(hex(~settings.mark.masquerade))",
      "\(match(.hairpin, "dst,dst,src")) \(setMark)",
      "\(match(.addresses, "src")) \(setMark)",
      "-m mark ! --mark \(bit)/\(bit) -j RETURN",
      "-j MARK --set-xmark \(bit)/0x0",
      "-j MASQUERADE --random-fully",
    ]
  }

  /// Health checks of load balancers come in whatever the policy of INPUT is, with all their packets, as with kube-proxy: also those
  /// to an address of ours, where some balancers send them. A front end that has such a port keeps its restrictions.
  var filterInput: [String] {
    [
      "-p tcp \(match(.health, "dst")) \(match(.frontends, "dst,dst", not: true)) -j ACCEPT",
      "-m conntrack ! --ctstate NEW -j RETURN",
      "\(match(.restricted, "dst,dst")) \(match(.allowed, "dst,dst,src", not: true)) -j DROP",
    ] + verdicts + refusals("\(match(.frontends, "dst,dst", not: true)) ")
  }

  /// IPVS has taken by now what it takes, so all else is refused. While a front end comes or goes that matters: what got out
  /// would be a connection to conntrack, which IPVS could not turn any more when the client tries again.
  var filterOutput: [String] { ["-m conntrack ! --ctstate NEW -j RETURN"] + verdicts + refusals() }

  private var icmp: String { family == .ipv4 ? "icmp" : "ipv6-icmp" }
  private var unreachable: String { "-j REJECT --reject-with \(family == .ipv4 ? "icmp" : "icmp6")-port-unreachable" }
  private let reset = "-j REJECT --reject-with tcp-reset"

  /// What new connections meet that no virtual server takes. The addresses answer pings, and nothing else that happens to
  /// listen on all addresses of the node (kubernetes/kubernetes#72236): see `refusals`.
  private var verdicts: [String] {
    [
      "-m mark \(nearMark) -j RETURN",
      "\(match(.drop, "dst,dst")) -j DROP",
      "-p tcp \(match(.refuse, "dst,dst")) \(reset)",
      "\(match(.refuse, "dst,dst")) \(unreachable)",
    ]
  }

  /// What goes to an address of ours, or to one that may become ours.
  private func refusals(_ condition: String = "", evenPings: Bool = false) -> [String] {
    let kinds: [SetKind] = hasServices ? [.addresses, .services] : [.addresses]
    return kinds.flatMap { kind in
      let rest = "\(evenPings ? "" : "! -p \(icmp) ")\(condition)\(match(kind, "dst")) \(unreachable)"
      return ["-p tcp \(condition)\(match(kind, "dst")) \(reset)", rest]
    }
  }

  private var hasServices: Bool { settings.serviceNetworks.contains { $0.family == family } }

  /// Replies come through here, where the policy may be to drop. What goes to an address of ours only comes through here when
  /// that is not bound (yet, or any more).
  var filterForward: [String] {
    (settings.dropsInvalid ? ["-m conntrack --ctstate INVALID -j DROP"] : [])
      + ["-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"] + refusals(evenPings: true)
  }
}
