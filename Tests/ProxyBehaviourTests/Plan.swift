import ProxyTesting

/// Who has which address; one plan for each family. Pods are 10.0/16 and fd00:10::/32, services 10.96/16 and fd00:96::/32.
struct Plan: Sendable, Hashable {
  let family: UInt8
  /// A host outside; it has more addresses, see `guest`.
  let outside: String
  /// The address of the node towards the host outside.
  let node: String
  let podA: String
  let podB: String
  let nodeTowardsA: String
  let nodeTowardsB: String
  /// A pod of another node, which has one link to this node.
  let remotePod: String
  let remoteNode: String
  let nodeTowardsRemote: String
  let loopback: String
  let prefix: Int

  static let four = Plan(
    family: 4, outside: "192.0.2.2", node: "192.0.2.1", podA: "10.0.1.2", podB: "10.0.2.2", nodeTowardsA: "10.0.1.1",
    nodeTowardsB: "10.0.2.1", remotePod: "10.0.9.2", remoteNode: "198.51.100.2", nodeTowardsRemote: "198.51.100.1",
    loopback: "127.0.0.1", prefix: 24)
  static let six = Plan(
    family: 6, outside: "fd00:c::2", node: "fd00:c::1", podA: "fd00:10:1::2", podB: "fd00:10:2::2", nodeTowardsA: "fd00:10:1::1",
    nodeTowardsB: "fd00:10:2::1", remotePod: "fd00:10:9::2", remoteNode: "fd00:d::2", nodeTowardsRemote: "fd00:d::1",
    loopback: "::1", prefix: 64)
  static let both = [four, six]

  static func of(_ family: UInt8) -> Plan { family == 4 ? four : six }

  /// How many more addresses the host outside has, and how many endpoints the crowd of pod B has.
  static let guests = 24
  static let crowd = 64

  /// Another address of the host outside, from 0 on.
  func guest(_ number: Int) -> String { family == 4 ? "192.0.2.\(20 + number)" : "fd00:c::\(hexadecimal(0x20 + number))" }
  /// One of many addresses behind pod B, from 1 on.
  func crowd(_ number: Int) -> String { family == 4 ? "10.0.4.\(number)" : "fd00:10:4::\(hexadecimal(number))" }

  /// Addresses of Services, a different one for each number, so that no test meets what another left in conntrack.
  func cluster(_ slot: Int) -> String { family == 4 ? "10.96.\(slot / 200 + 1).\(slot % 200 + 1)" : "fd00:96::\(hexadecimal(slot + 1))" }
  func external(_ slot: Int) -> String {
    family == 4 ? "198.18.\(slot / 200 + 1).\(slot % 200 + 1)" : "fd00:ee::1:\(hexadecimal(slot + 1))"
  }

  private func hexadecimal(_ number: Int) -> String { String(number, radix: 16) }

  var nodeAddresses: Set<String> { [node, nodeTowardsA, nodeTowardsB, nodeTowardsRemote] }

  var endpointA: TestEndpoint { .onNode(podA, Topology.port) }
  var endpointB: TestEndpoint { .onNode(podB, Topology.port) }
  var endpointRemote: TestEndpoint { TestEndpoint(remotePod, Topology.port) }
  var crowdEndpoints: [TestEndpoint] { (1...Self.crowd).map { .onNode(crowd($0), Topology.port) } }
}

/// Where a client stands.
enum Vantage: String, Sendable, CaseIterable {
  case outside
  /// The same host with another address.
  case guest
  case node
  case podA
  case podB
  /// A pod of another node.
  case remote

  func address(_ plan: Plan) -> String {
    switch self {
    case .outside: plan.outside
    case .guest: plan.guest(0)
    case .node: plan.node
    case .podA: plan.podA
    case .podB: plan.podB
    case .remote: plan.remotePod
    }
  }

  /// The address a client has to ask for; nil: it has no other.
  func source(_ plan: Plan) -> String? { self == .guest || self == .remote ? address(plan) : nil }

  var words: String {
    switch self {
    case .outside: "from outside"
    case .guest: "from a guest outside"
    case .node: "from the node"
    case .podA: "from pod A"
    case .podB: "from pod B"
    case .remote: "from a pod on another node"
    }
  }
}
