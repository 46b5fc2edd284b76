import PluginAPI
import ProxyTesting
import Testing

/// One row of the behaviour table: what is programmed, who knocks where, and what must come of it.
struct TrafficCase: Sendable, CustomTestStringConvertible {
  enum Expectation: Sendable {
    /// Each of the servers answers some, nobody else any; they see the client under its own address or one of the node's.
    case answers(Set<String>, clientSeenAs: Source)
    case refusal
    case silence
    /// Neither server; how the knock fails is the rest of the network's business.
    case nobody
  }
  enum Source: Sendable {
    case own, node
    /// The node's when a pod reaches itself, else its own.
    case ownUnlessItself
  }

  var name: String
  var family: UInt8
  var proto: UInt8
  var service: TestService
  var from: Vantage
  var address: String
  var port: UInt16
  var expectation: Expectation
  var configuration = Plan.configuration

  var testDescription: String { "\(name), \(proto == Sockets.tcp ? "TCP" : "UDP") over IPv\(family)" }

  static let all: [TrafficCase] = [UInt8(4), 6].flatMap { family in
    [Sockets.tcp, Sockets.udp].flatMap { proto in Rows(plan: .of(family), proto: proto).all }
  }
}

/// The rows, for one family and protocol.
private struct Rows {
  let plan: Plan
  let proto: UInt8

  private static let both: Set<String> = ["A", "B"]

  var all: [TrafficCase] { clusterIPs + hairpin + nodePorts + nodePortNetworks + masquerading + selection + empty + others }

  private func row(
    _ name: String, _ frontends: [TestFrontend], _ endpoints: [TestEndpoint]? = nil, from: Vantage, to address: String, _ port: UInt16,
    _ expectation: TrafficCase.Expectation
  ) -> TrafficCase {
    let service = TestService(
      "default/web:http/\(proto)/\(plan.family)", family: plan.family, proto: proto, frontends,
      endpoints ?? [plan.endpointA, plan.endpointB])
    return TrafficCase(
      name: name, family: plan.family, proto: proto, service: service, from: from, address: address, port: port, expectation: expectation)
  }

  private var cluster: TestFrontend { .clusterIP(plan.cluster, 80) }
  private var nodePort: TestFrontend { .nodePort(30080) }

  private var clusterIPs: [TrafficCase] {
    [
      row("cluster address from outside", [cluster], from: .outside, to: plan.cluster, 80, .answers(Self.both, clientSeenAs: .own)),
      row("cluster address from the node", [cluster], from: .node, to: plan.cluster, 80, .answers(Self.both, clientSeenAs: .node)),
      row("cluster address from a pod", [cluster], from: .podA, to: plan.cluster, 80, .answers(Self.both, clientSeenAs: .ownUnlessItself)),
      row(
        "cluster address with one endpoint", [cluster], [plan.endpointB], from: .podA, to: plan.cluster, 80,
        .answers(["B"], clientSeenAs: .own)),
      row(
        "two ports of one address", [cluster, .clusterIP(plan.cluster, 443)], from: .outside, to: plan.cluster, 443,
        .answers(Self.both, clientSeenAs: .own)),
    ]
  }

  private var hairpin: [TrafficCase] {
    [row("a pod reaches itself", [cluster], [plan.endpointA], from: .podA, to: plan.cluster, 80, .answers(["A"], clientSeenAs: .node))]
  }

  private var nodePorts: [TrafficCase] {
    let frontends = [cluster, nodePort.masquerading(SWL_PROXY_MASQUERADE_ALWAYS)]
    return [
      row("node port from outside", frontends, from: .outside, to: plan.node, 30080, .answers(Self.both, clientSeenAs: .node)),
      row("node port from the node", frontends, from: .node, to: plan.node, 30080, .answers(Self.both, clientSeenAs: .node)),
      row("node port from a pod", frontends, from: .podB, to: plan.node, 30080, .answers(Self.both, clientSeenAs: .node)),
      row(
        "node port at another address of the node", frontends, from: .outside, to: plan.nodeTowardsA, 30080,
        .answers(Self.both, clientSeenAs: .node)),
      row("node port is not at loopback", frontends, from: .node, to: plan.loopback, 30080, .nobody),
      row("node port is not at a pod's address", frontends, from: .outside, to: plan.podA, 30080, .nobody),
    ]
  }

  private var nodePortNetworks: [TrafficCase] {
    let frontends = [nodePort.masquerading(SWL_PROXY_MASQUERADE_ALWAYS)]
    var inside = row(
      "node port inside of the node port networks", frontends, from: .outside, to: plan.node, 30080,
      .answers(Self.both, clientSeenAs: .node))
    var outside = row("node port outside of the node port networks", frontends, from: .outside, to: plan.nodeTowardsA, 30080, .nobody)
    inside.configuration["nodeport-cidrs"] = "198.51.100.0/24,192.0.2.0/24,fd00:c::/64"
    outside.configuration["nodeport-cidrs"] = "198.51.100.0/24,192.0.2.0/24,fd00:c::/64"
    return [inside, outside]
  }

  private var masquerading: [TrafficCase] {
    let fromOutside = [cluster.masquerading(SWL_PROXY_MASQUERADE_FROM_OUTSIDE)]
    let always = [cluster.masquerading(SWL_PROXY_MASQUERADE_ALWAYS)]
    var nowhere = row(
      "without cluster networks nobody is outside", fromOutside, from: .outside, to: plan.cluster, 80,
      .answers(Self.both, clientSeenAs: .own))
    nowhere.configuration = [:]
    var otherBit = row("another masquerade bit", always, from: .outside, to: plan.cluster, 80, .answers(Self.both, clientSeenAs: .node))
    otherBit.configuration["masquerade-bit"] = "31"
    return [
      row(
        "masquerade from outside, from outside", fromOutside, from: .outside, to: plan.cluster, 80, .answers(Self.both, clientSeenAs: .node)
      ),
      row(
        "masquerade from outside, from a pod", fromOutside, from: .podA, to: plan.cluster, 80,
        .answers(Self.both, clientSeenAs: .ownUnlessItself)),
      row("masquerade always, from a pod", always, from: .podA, to: plan.cluster, 80, .answers(Self.both, clientSeenAs: .node)),
      nowhere, otherBit,
    ]
  }

  private var selection: [TrafficCase] {
    [
      row(
        "local endpoints only", [nodePort.selecting(SWL_PROXY_SELECT_LOCAL)], from: .outside, to: plan.node, 30080,
        .answers(["A"], clientSeenAs: .own)),
      row(
        "one front end local, another not", [cluster, nodePort.selecting(SWL_PROXY_SELECT_LOCAL)], from: .outside, to: plan.cluster, 80,
        .answers(Self.both, clientSeenAs: .own)),
      row(
        "no local endpoint is silence", [nodePort.selecting(SWL_PROXY_SELECT_LOCAL).whenEmpty(SWL_PROXY_EMPTY_DROP)], [plan.endpointB],
        from: .outside, to: plan.node, 30080, .silence),
    ]
  }

  private var empty: [TrafficCase] {
    [
      row("no endpoint, from outside", [cluster], [], from: .outside, to: plan.cluster, 80, .refusal),
      row("no endpoint, from the node", [cluster], [], from: .node, to: plan.cluster, 80, .refusal),
      row("no endpoint, from a pod", [cluster], [], from: .podB, to: plan.cluster, 80, .refusal),
      row("no endpoint, node port from outside", [nodePort], [], from: .outside, to: plan.node, 30080, .refusal),
      row("no endpoint, node port from the node", [nodePort], [], from: .node, to: plan.node, 30080, .refusal),
      row("no endpoint, dropped", [cluster.whenEmpty(SWL_PROXY_EMPTY_DROP)], [], from: .outside, to: plan.cluster, 80, .silence),
    ]
  }

  private var others: [TrafficCase] {
    [
      row(
        "external address", [cluster, TestFrontend(SWL_PROXY_EXTERNAL_IP, plan.external, 80)], from: .outside, to: plan.external, 80,
        .answers(Self.both, clientSeenAs: .own)),
      row(
        "load balancer address from a pod", [cluster, TestFrontend(SWL_PROXY_LOAD_BALANCER, plan.external, 80)], from: .podA,
        to: plan.external, 80, .answers(Self.both, clientSeenAs: .ownUnlessItself)),
      row("another port of the address", [cluster], from: .podB, to: plan.cluster, 81, .nobody),
      row("another address", [cluster], from: .podB, to: plan.otherCluster, 80, .nobody),
    ]
  }
}
