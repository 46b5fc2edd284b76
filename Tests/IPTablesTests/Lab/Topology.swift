import PluginKit
import ProxyTesting

/// A client, a node with two pods, and the links between them; everything in namespaces without names, gone with the object.
///
///     outside ── node ─┬─ podA
///                      └─ podB
final class Topology {
  static let port: UInt16 = 8080

  let outside: NetworkNamespace
  let node: NetworkNamespace
  let podA: NetworkNamespace
  let podB: NetworkNamespace
  private let servers: [EchoServer]

  init() throws {
    outside = try NetworkNamespace()
    node = try NetworkNamespace()
    podA = try NetworkNamespace()
    podB = try NetworkNamespace()
    for namespace in [outside, node, podA, podB] {
      // Addresses are usable at once.
      try namespace.setting("net/ipv6/conf/default/accept_dad", "0")
      try namespace.setting("net/ipv6/conf/default/dad_transmits", "0")
    }
    // The tests refuse more often than the kernel likes to say.
    try node.setting("net/ipv4/icmp_ratelimit", "0")
    try node.setting("net/ipv6/icmp/ratelimit", "0")
    try node.setting("net/ipv4/ip_forward", "1")
    try node.setting("net/ipv6/conf/all/forwarding", "1")
    let links: [(String, NetworkNamespace, peer: KeyPath<Plan, String>, here: KeyPath<Plan, String>)] = [
      ("outside", outside, \.outside, \.node), ("podA", podA, \.podA, \.nodeTowardsA), ("podB", podB, \.podB, \.nodeTowardsB),
    ]
    for (name, namespace, peer, here) in links {
      try Command.run("ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", namespace.path, in: node)
      var ours = "link set \(name) up\n"
      var theirs = "link set eth0 up\n"
      for plan in [Plan.four, Plan.six] {
        ours += "addr add \(plan[keyPath: here])/\(plan.prefix) dev \(name)\n"
        theirs += "addr add \(plan[keyPath: peer])/\(plan.prefix) dev eth0\nroute add default via \(plan[keyPath: here])\n"
      }
      try Command.run("ip", "-batch", "-", in: node, input: ours)
      try Command.run("ip", "-batch", "-", in: namespace, input: theirs)
    }
    for plan in [Plan.four, Plan.six] { try Command.run("ip", "route", "add", "default", "via", plan.outside, in: node) }
    servers = [try EchoServer("A", in: podA, port: Self.port), try EchoServer("B", in: podB, port: Self.port)]
  }

  deinit { servers.forEach { $0.stop() } }

  func namespace(_ vantage: Vantage) -> NetworkNamespace {
    switch vantage {
    case .outside: outside
    case .node: node
    case .podA: podA
    case .podB: podB
    }
  }

  /// A backend at work on the node.
  func start(_ backend: BackendUnderTest, _ configuration: [String: String] = Plan.configuration) throws -> any ProxyPlugin {
    try node.run {
      let plugin = try backend.make(configuration)
      try plugin.probe()
      try plugin.start()
      return plugin
    }
  }

  /// One connection or datagram.
  func knock(from vantage: Vantage, _ proto: UInt8, _ address: String, _ port: UInt16, patience: Int = 3000) throws -> Knock {
    try namespace(vantage).run { Knock.once(proto, address, port, patience: patience) }
  }

  func knock(_ times: Int, from vantage: Vantage, _ proto: UInt8, _ address: String, _ port: UInt16) throws -> [Knock] {
    try namespace(vantage).run { (0..<times).map { _ in Knock.once(proto, address, port) } }
  }
}
