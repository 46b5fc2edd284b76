import PluginKit
import ProxyTesting

/// A host outside, a node with two pods, another node with a pod; everything in namespaces without names, gone with the object.
///
///     outside ── uplink ─┬──── veth-a ── podA (A)
///                      node ── veth-b ── podB (B, and a crowd of addresses)
///     remote ─── peer ───┘
///
/// Both hosts send what they know no way for to the node, and the node what it knows none for to the host outside.
final class Topology: Sendable {
  static let port: UInt16 = 8080
  static let otherPort: UInt16 = 8443

  let outside: NetworkNamespace
  let node: NetworkNamespace
  let podA: NetworkNamespace
  let podB: NetworkNamespace
  let remote: NetworkNamespace
  private let servers: [EchoServer]

  /// One for all tests that leave it as it was. They run one after the other.
  static var shared: Topology { get throws { try made.get() } }
  private static let made = Result { try Topology() }

  init() throws {
    outside = try NetworkNamespace()
    node = try NetworkNamespace()
    podA = try NetworkNamespace()
    podB = try NetworkNamespace()
    remote = try NetworkNamespace()
    for namespace in [outside, node, podA, podB, remote] { try Self.prepare(namespace) }
    try Self.prepareNode(node)
    try Self.link(node, "uplink", outside, \.node, \.outside)
    try Self.link(node, "veth-a", podA, \.nodeTowardsA, \.podA)
    try Self.link(node, "veth-b", podB, \.nodeTowardsB, \.podB)
    try Self.link(node, "peer", remote, \.nodeTowardsRemote, \.remoteNode)
    try Self.addMoreAddresses(outside: outside, podB: podB, remote: remote)
    for plan in Plan.both {
      let routes = """
        route add default via \(plan.outside)
        route add \(plan.remotePod) via \(plan.remoteNode)
        route add \(plan.crowd(0))/\(plan.prefix) via \(plan.podB)

        """
      try Command.run("ip", "-batch", "-", in: node, input: routes)
    }
    servers = [
      try EchoServer(in: podA, Self.endpoints("A", \.podA)), try EchoServer(in: podB, Self.endpoints("B", \.podB)),
      try EchoServer(in: remote, Self.endpoints("C", \.remotePod)), try EchoServer(in: outside, Self.endpoints("outside", \.outside)),
      try EchoServer(
        in: podB,
        Plan.both.flatMap { plan in
          (1...Plan.crowd).map { EchoServer.Endpoint(label: "crowd\($0)", address: plan.crowd($0), port: Self.port) }
        }, associations: false),
    ]
  }

  deinit { servers.forEach { $0.stop() } }

  private static func endpoints(_ label: String, _ address: KeyPath<Plan, String>) -> [EchoServer.Endpoint] {
    Plan.both.flatMap { plan in
      [
        EchoServer.Endpoint(label: label, address: plan[keyPath: address], port: port),
        EchoServer.Endpoint(label: "\(label):\(otherPort)", address: plan[keyPath: address], port: otherPort),
      ]
    }
  }

  private static func prepare(_ namespace: NetworkNamespace) throws {
    // Addresses are usable at once, also those a socket asks for before they are there.
    try namespace.setting("net/ipv6/conf/default/accept_dad", "0")
    try namespace.setting("net/ipv6/conf/default/dad_transmits", "0")
    try namespace.setting("net/ipv6/ip_nonlocal_bind", "1")
    try namespace.setting("net/ipv4/ip_nonlocal_bind", "1")
  }

  private static func prepareNode(_ node: NetworkNamespace) throws {
    // The tests refuse more often than the kernel likes to say.
    try node.setting("net/ipv4/icmp_ratelimit", "0")
    try node.setting("net/ipv4/icmp_ratemask", "0")
    try node.setting("net/ipv6/icmp/ratelimit", "0")
    try node.setting("net/ipv6/icmp/ratemask", "255")
    try node.setting("net/ipv4/ip_forward", "1")
    try node.setting("net/ipv6/conf/all/forwarding", "1")
    try node.setting("net/ipv4/conf/all/send_redirects", "0")
    try node.setting("net/ipv4/conf/default/send_redirects", "0")
  }

  private static func link(
    _ node: NetworkNamespace, _ name: String, _ peer: NetworkNamespace, _ here: KeyPath<Plan, String>, _ there: KeyPath<Plan, String>
  ) throws {
    var ours = "link add \(name) type veth peer name eth0 netns \(peer.path)\nlink set \(name) up\n"
    var theirs = "link set eth0 up\n"
    for plan in Plan.both {
      // Usable at once, also as the source of a route.
      let options = plan.family == 4 ? "" : " nodad"
      ours += "addr add \(plan[keyPath: here])/\(plan.prefix) dev \(name)\(options)\n"
      theirs += "addr add \(plan[keyPath: there])/\(plan.prefix) dev eth0\(options)\n"
      // The other node speaks as its pod.
      if there == \.remoteNode { theirs += "addr add \(plan.remotePod)/\(plan.family == 4 ? 32 : 128) dev lo\(options)\n" }
      let source = there == \.remoteNode ? " src \(plan.remotePod)" : ""
      theirs += "route add default via \(plan[keyPath: here])\(source)\n"
    }
    try Command.run("ip", "-batch", "-", in: node, input: ours)
    try Command.run("ip", "-batch", "-", in: peer, input: theirs)
  }

  private static func addMoreAddresses(outside: NetworkNamespace, podB: NetworkNamespace, remote: NetworkNamespace) throws {
    var guests = ""
    var crowd = ""
    for plan in Plan.both {
      // Not chosen by a client that asks for no address.
      let options = plan.family == 4 ? "/32 dev eth0" : "/128 dev eth0 preferred_lft 0 nodad"
      for number in 0..<Plan.guests { guests += "addr add \(plan.guest(number))\(options)\n" }
      crowd += "route add local \(plan.crowd(0))/\(plan.prefix) dev lo\n"
    }
    try Command.run("ip", "-batch", "-", in: outside, input: guests)
    try Command.run("ip", "-batch", "-", in: podB, input: crowd)
  }

  func namespace(_ vantage: Vantage) -> NetworkNamespace {
    switch vantage {
    case .outside, .guest: outside
    case .node: node
    case .podA: podA
    case .podB: podB
    case .remote: remote
    }
  }
}
