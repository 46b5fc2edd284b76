import ProxyTesting

/// Who has which address in a test; one plan for each family. Pods are 10.0/16 and fd00:10::/32, services 10.96/16 and fd00:96::/32.
struct Plan: Sendable {
  let family: UInt8
  let outside: String
  let node: String
  let podA: String
  let podB: String
  let nodeTowardsA: String
  let nodeTowardsB: String
  let cluster: String
  let otherCluster: String
  let external: String
  let loopback: String
  let prefix: Int

  static let four = Plan(
    family: 4, outside: "192.0.2.2", node: "192.0.2.1", podA: "10.0.1.2", podB: "10.0.2.2", nodeTowardsA: "10.0.1.1",
    nodeTowardsB: "10.0.2.1", cluster: "10.96.0.1", otherCluster: "10.96.0.2", external: "203.0.113.9", loopback: "127.0.0.1", prefix: 24)
  static let six = Plan(
    family: 6, outside: "fd00:c::2", node: "fd00:c::1", podA: "fd00:10:1::2", podB: "fd00:10:2::2", nodeTowardsA: "fd00:10:1::1",
    nodeTowardsB: "fd00:10:2::1", cluster: "fd00:96::1", otherCluster: "fd00:96::2", external: "fd00:ee::9", loopback: "::1", prefix: 64)

  static func of(_ family: UInt8) -> Plan { family == 4 ? four : six }

  static let configuration = ["cluster-cidrs": "10.0.0.0/16,fd00:10::/32"]

  var endpointA: TestEndpoint { .onNode(podA, Topology.port) }
  var endpointB: TestEndpoint { TestEndpoint(podB, Topology.port) }
  var nodeAddresses: Set<String> { [node, nodeTowardsA, nodeTowardsB] }
}

/// Where a client stands.
enum Vantage: String, Sendable, CaseIterable {
  case outside, node, podA, podB

  func address(_ plan: Plan) -> String {
    switch self {
    case .outside: plan.outside
    case .node: plan.node
    case .podA: plan.podA
    case .podB: plan.podB
    }
  }
}
