import Conntrack
import Glibc
import KubeModel
import Logging
import ProxyTesting
import ServiceProxy

/// A client and a node with two pods' addresses, joined by a link; Services are rules the test writes by hand.
final class Node {
  let plan: Plan
  let client: NetworkNamespace
  let node: NetworkNamespace
  private let reports = Reports()
  private var reconciler: ConntrackReconciler?

  init(_ plan: Plan) throws {
    self.plan = plan
    client = try NetworkNamespace()
    node = try NetworkNamespace()
    for namespace in [client, node] {
      try namespace.setting("net/ipv6/conf/default/accept_dad", "0")
      try namespace.setting("net/ipv6/conf/default/dad_transmits", "0")
    }
    try node.setting("net/ipv4/ip_forward", "1")
    try node.setting("net/ipv6/conf/all/forwarding", "1")
    try Command.run("ip", "link", "add", "client", "type", "veth", "peer", "name", "eth0", "netns", client.path, in: node)
    // Addresses are usable at once.
    let (net, host) = plan.family == .v4 ? ("24", "32") : ("64 nodad", "128 nodad")
    try Command.run(
      "ip", "-batch", "-", in: node,
      input: """
        link set client up
        addr add \(plan.node)/\(net) dev client
        addr add \(plan.podA)/\(host) dev lo
        addr add \(plan.podB)/\(host) dev lo
        route add default via \(plan.elsewhereOnLink) dev client
        """ + "\n")
    try Command.run(
      "ip", "-batch", "-", in: client,
      input: "link set eth0 up\naddr add \(plan.client)/\(net) dev eth0\nroute add default via \(plan.node)\n")
    // The kernel tracks flows for as long as some rule looks at them; an empty chain does not.
    let keep = "table inet keep { chain c { type filter hook forward priority 0; ct state invalid counter; }; }\n"
    try Command.run("nft", "-f", "-", in: node, input: keep)
  }

  /// The thread works in the node's network namespace.
  func start() throws {
    let reports = reports
    reconciler = try node.run { ConntrackReconciler(logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }) { reports.add($0) } }
  }

  func stop() async { await reconciler?.stop() }

  /// The whole of what is translated: from a destination to a pod.
  func translate(_ rules: [(IPAddress, UInt16, to: IPAddress)], ipProtocol: IPProtocol = .udp) throws {
    let family = plan.family == .v4 ? "ip" : "ip6"
    let lines = rules.map { rule in
      let target = plan.family == .v4 ? "\(rule.to)" : "[\(rule.to)]"
      return "\(family) daddr \(rule.0) \(ipProtocol.description.lowercased()) dport \(rule.1) dnat to \(target):\(Plan.target)"
    }
    let chain = (["type nat hook prerouting priority -100"] + lines).joined(separator: "; ")
    let renewal = "table \(family) t\ndelete table \(family) t\ntable \(family) t { chain c { \(chain); }; }\n"
    try Command.run("nft", "-f", "-", in: node, input: renewal)
  }

  /// Tells of a commit and waits for the look that follows it.
  func commit(_ changes: [CommittedChange], isFullLoad: Bool = false) async throws -> ReconcileReport {
    let before = reports.all.count
    await reconciler?.committed(changes, isFullLoad: isFullLoad)
    try await reports.wait { $0.count > before }
    return reports.all[before]
  }

  func flows(of port: ResolvedServicePort, limit: Int = 100) async throws -> FlowListing {
    guard let reconciler else { return FlowListing() }
    return try await reconciler.flows(of: port, limit: limit)
  }

  /// As the ordinary tool shows them.
  func tracked() throws -> [String] {
    let family = plan.family == .v4 ? "ipv4" : "ipv6"
    let text = try Command.run("conntrack", "-L", "-f", family, in: node)
    return text.split(separator: "\n").map(String.init).filter { $0.contains("src=") }
  }
}

extension Plan {
  /// A neighbour nobody is: packets to it leave the node and are lost.
  var elsewhereOnLink: IPAddress { node.advanced(by: 200) ?? node }
}
