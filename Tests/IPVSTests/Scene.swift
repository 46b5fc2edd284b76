import Glibc
import IPVS
import PluginKit
import ProxyTesting
import Testing

let isVirtualMachineRing = getenv("SWIFTLET_TEST_RING").map { String(cString: $0) } == "vm"

/// A client, a node with two pods, and the links between them; everything in namespaces without names, gone with the object.
///
///     outside ── node ─┬─ podA
///                      └─ podB
final class Scene {
  struct Plan: Sendable {
    var family: UInt8
    var outside, node, podA, podB, towardsA, towardsB, cluster, other, external: String
    var prefix: Int

    static let four = Plan(
      family: 4, outside: "192.0.2.2", node: "192.0.2.1", podA: "10.0.1.2", podB: "10.0.2.2", towardsA: "10.0.1.1", towardsB: "10.0.2.1",
      cluster: "10.96.0.1", other: "10.96.0.2", external: "203.0.113.9", prefix: 24)
    static let six = Plan(
      family: 6, outside: "fd00:c::2", node: "fd00:c::1", podA: "fd00:10:1::2", podB: "fd00:10:2::2", towardsA: "fd00:10:1::1",
      towardsB: "fd00:10:2::1", cluster: "fd00:96::1", other: "fd00:96::2", external: "fd00:ee::9", prefix: 64)

    var endpointA: TestEndpoint { .onNode(podA, 8080) }
    var endpointB: TestEndpoint { TestEndpoint(podB, 8080) }
    var nodeAddresses: Set<String> { [node, towardsA, towardsB] }
  }

  static let configuration = ["cluster-cidrs": "10.0.0.0/16,fd00:10::/32", "service-cidrs": "10.96.0.0/16,fd00:96::/112"]

  let outside: NetworkNamespace
  let node: NetworkNamespace
  let podA: NetworkNamespace
  let podB: NetworkNamespace
  private let servers: [Greeter]

  init() throws {
    try Command.run("modprobe", "-a", "ip_vs", "dummy", "ip_set", "xt_set")
    outside = try NetworkNamespace()
    node = try NetworkNamespace()
    podA = try NetworkNamespace()
    podB = try NetworkNamespace()
    for namespace in [outside, node, podA, podB] {
      try namespace.setting("net/ipv6/conf/default/accept_dad", "0")
      try namespace.setting("net/ipv6/conf/default/dad_transmits", "0")
    }
    try node.setting("net/ipv4/icmp_ratelimit", "0")
    try node.setting("net/ipv6/icmp/ratelimit", "0")
    try node.setting("net/ipv6/conf/all/forwarding", "1")
    let links: [(String, NetworkNamespace, KeyPath<Plan, String>, KeyPath<Plan, String>)] = [
      ("outside", outside, \.outside, \.node), ("podA", podA, \.podA, \.towardsA), ("podB", podB, \.podB, \.towardsB),
    ]
    for (name, namespace, peer, here) in links {
      try Command.run("ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", namespace.path, in: node)
      var ours = "link set \(name) up\n"
      var theirs = "link set eth0 up\n"
      for plan in [Plan.four, .six] {
        ours += "addr add \(plan[keyPath: here])/\(plan.prefix) dev \(name)\n"
        theirs += "addr add \(plan[keyPath: peer])/\(plan.prefix) dev eth0\nroute add default via \(plan[keyPath: here])\n"
      }
      try Command.run("ip", "-batch", "-", in: node, input: ours)
      try Command.run("ip", "-batch", "-", in: namespace, input: theirs)
    }
    for plan in [Plan.four, .six] { try Command.run("ip", "route", "add", "default", "via", plan.outside, in: node) }
    servers = [try Greeter("A", in: podA, port: 8080), try Greeter("B", in: podB, port: 8080)]
  }

  deinit { servers.forEach { $0.stop() } }

  /// A backend at work on the node.
  func start(_ configuration: [String: String] = Scene.configuration, now: @escaping () -> UInt64 = Clock.seconds) throws -> IPVSBackend {
    try node.run {
      let backend = try IPVSBackend(host: HostServices(testing: { _, _ in }), configuration: configuration, now: now)
      try backend.start()
      return backend
    }
  }

  func visit(
    _ times: Int = 1, from: NetworkNamespace, _ address: String, _ port: UInt16, udp: Bool = false, patience: Int = 10_000
  ) throws -> Set<Visit> {
    try from.run { Set((0..<times).map { _ in Visit.once(address, port, udp: udp, patience: patience) }) }
  }

  func servers(_ times: Int = 4, from: NetworkNamespace, _ address: String, _ port: UInt16) throws -> Set<String> {
    Set(try visit(times, from: from, address, port).map(\.server))
  }

  /// Everything, as the operator's tools show it, each line once: ipvsadm shows some of the last virtual servers twice when another
  /// network namespace gets one while it reads (ip_vs_genl_dump_services goes by a number in tables all share).
  func state() throws -> [String] {
    let commands = [
      ["ipvsadm", "-S", "-n"], ["ipset", "save"], ["iptables-save"], ["ip6tables-save"], ["ip", "-o", "address", "show", "type", "dummy"],
      ["ip", "route", "show", "table", "all"], ["ip", "-6", "route", "show", "table", "all"],
    ]
    let volatile = ["#", ":", "*", "COMMIT", "create"]
    return try commands.flatMap { words in
      try Command.run(words, in: node).split(separator: "\n").map(String.init).filter { line in
        !volatile.contains { line.hasPrefix($0) } || line.contains("SWIFTLET") || line.contains("create swiftlet")
      }.map { line in
        // Hash seeds, and the numbers of interfaces.
        line.split(separator: " ").filter { !$0.hasPrefix("0x") && $0.last != ":" }.joined(separator: " ")
      }.reduce(into: Set()) { $0.insert($1) }.sorted()
    }
  }

  /// What differs is named.
  func expectState(_ expected: [String], _ when: String) throws {
    let found = try state()
    let difference = found.difference(from: expected).map { change in
      switch change {
      case .insert(_, let line, _): "new: \(line)"
      case .remove(_, let line, _): "gone: \(line)"
      }
    }
    #expect(difference.isEmpty, "\(when)")
  }

  /// Each line once, as in `state`.
  func virtualServers() throws -> Set<Substring> { Set(try onNode("ipvsadm", "-S", "-n").split(separator: "\n")) }

  func eventually(_ what: String, _ condition: () throws -> Bool) throws {
    let deadline = Clock.seconds() + 60
    while Clock.seconds() < deadline {
      if try condition() { return }
      sched_yield()
    }
    Issue.record("not within a minute: \(what)")
  }

  func onNode(_ words: String...) throws -> String { try Command.run(words, in: node) }
}
