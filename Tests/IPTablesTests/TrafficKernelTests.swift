import Glibc
import IPTables
import PluginAPI
import PluginKit
import ProxyTesting
import Testing

/// Real packets, both variants and families, for what the suite of all backends does not ask of each.
@Suite(.serialized) struct TrafficKernelTests {
  struct Row: Sendable, CustomTestStringConvertible {
    var variant: BackendUnderTest
    var family: UInt8
    var plan: Plan { .of(family) }
    var testDescription: String { "\(variant.rawValue), IPv\(family)" }
  }

  private static let rows = BackendUnderTest.allCases.flatMap { variant in [UInt8(4), 6].map { Row(variant: variant, family: $0) } }

  private func run(
    _ row: Row, _ frontends: [TestFrontend], _ endpoints: [TestEndpoint]? = nil, _ configuration: [String: String] = Plan.configuration,
    proto: UInt8 = Sockets.tcp, change: (inout TestService) -> Void = { _ in }
  ) throws -> (topology: Topology, plugin: any ProxyPlugin) {
    let topology = try Topology()
    let plugin = try topology.start(row.variant, configuration)
    var service = TestService(
      "default/web:http/\(proto)/\(row.family)", family: row.family, proto: proto, frontends,
      endpoints ?? [row.plan.endpointA, row.plan.endpointB])
    change(&service)
    #expect(try topology.node.run { try plugin.sync(.full([service])) }.isEmpty)
    return (topology, plugin)
  }

  private func servers(_ topology: Topology, _ from: Vantage, _ address: String, _ port: UInt16, times: Int = 24) throws -> Set<String> {
    Set(try topology.knock(times, from: from, Sockets.tcp, address, port).map { $0.server ?? "nobody" })
  }

  @Test(arguments: rows)
  func nearClientsReachTheClusterAndOthersLocalEndpoints(_ row: Row) throws {
    let plan = row.plan
    let load = TestFrontend(SWL_PROXY_LOAD_BALANCER, plan.external, 80)
    let frontends = [load, .nodePort(30080)].map { $0.selecting(SWL_PROXY_SELECT_LOCAL).flagged(SWL_PROXY_FRONTEND_NEAR) }
    // On this node, so that a pod may reach itself, but not local to these front ends.
    let remote = TestEndpoint(plan.podB, Topology.port, flags: SWL_PROXY_ENDPOINT_CLUSTER | SWL_PROXY_ENDPOINT_ON_NODE)
    let (topology, _) = try run(row, frontends, [plan.endpointA, remote])
    for (address, port) in [(plan.external, UInt16(80)), (plan.node, 30080)] {
      #expect(try servers(topology, .outside, address, port) == ["A"])
      #expect(try servers(topology, .node, address, port) == ["A", "B"])
      #expect(try servers(topology, .podA, address, port) == ["A", "B"])
      // A pod keeps its address, the node is masqueraded, and so is nobody from outside.
      let pods = try topology.knock(16, from: .podB, Sockets.tcp, address, port)
      #expect(Set(pods.map(\.server)) == ["A", "B"])
      #expect(pods.allSatisfy { $0.server == "B" || $0.sawClient == plan.podB })
      #expect(try topology.knock(from: .outside, Sockets.tcp, address, port).sawClient == plan.outside)
      let nodes = try topology.knock(16, from: .node, Sockets.tcp, address, port)
      #expect(nodes.allSatisfy { plan.nodeAddresses.contains($0.sawClient ?? "") })
    }
  }

  @Test(arguments: rows)
  func nearClientsAreServedWhereNoLocalEndpointIs(_ row: Row) throws {
    let plan = row.plan
    let frontend = TestFrontend(SWL_PROXY_LOAD_BALANCER, plan.external, 80).selecting(SWL_PROXY_SELECT_LOCAL)
      .whenEmpty(SWL_PROXY_EMPTY_DROP).flagged(SWL_PROXY_FRONTEND_NEAR)
    let (topology, plugin) = try run(row, [frontend], [plan.endpointB])
    #expect(try topology.knock(from: .outside, Sockets.tcp, plan.external, 80, patience: 300) == .silent)
    #expect(try servers(topology, .node, plan.external, 80, times: 3) == ["B"])
    #expect(try servers(topology, .podA, plan.external, 80, times: 3) == ["B"])
    // Only local ones: near clients do not fall back to them.
    var local = plan.endpointA
    local.flags = SWL_PROXY_ENDPOINT_LOCAL | SWL_PROXY_ENDPOINT_ON_NODE
    let service = TestService("default/web:http/6/\(row.family)", family: row.family, [frontend.whenEmpty(SWL_PROXY_EMPTY_REFUSE)], [local])
    #expect(try topology.node.run { try plugin.sync(TestBatch([service])) }.isEmpty)
    #expect(try servers(topology, .outside, plan.external, 80, times: 3) == ["A"])
    #expect(try topology.knock(from: .podB, Sockets.tcp, plan.external, 80) == .refused)
    #expect(try topology.knock(from: .node, Sockets.tcp, plan.external, 80) == .refused)
  }

  @Test(arguments: rows)
  func onlySourcesInTheRangesAreServed(_ row: Row) throws {
    let plan = row.plan
    let guarded = TestFrontend(SWL_PROXY_LOAD_BALANCER, plan.external, 80).flagged(SWL_PROXY_FRONTEND_SOURCE_RANGES)
    let (topology, plugin) = try run(row, [.clusterIP(plan.cluster, 80), guarded], [plan.endpointA]) {
      $0.sourceRanges = row.family == 4 ? ["198.51.100.0/24", "10.0.2.0/24"] : ["fd00:10:2::/64"]
    }
    #expect(try servers(topology, .podB, plan.external, 80) == ["A"])
    #expect(try topology.knock(from: .podA, Sockets.tcp, plan.external, 80, patience: 300) == .silent)
    #expect(try topology.knock(from: .outside, Sockets.tcp, plan.external, 80, patience: 300) == .silent)
    #expect(try servers(topology, .podA, plan.cluster, 80) == ["A"])
    let key = "default/web:http/6/\(row.family)"
    var counters: [ProxyCounters] = []
    var lines: [String] = []
    let inspectable = try #require(plugin as? any InspectableProxy)
    try topology.node.run {
      try inspectable.counters(key) { counters.append($1) }
      try inspectable.explain(key) { lines.append($0) }
    }
    #expect(counters.first?.connections == 48)
    #expect((counters.first?.sourceRefused ?? 0) >= 2)
    #expect(lines.contains { $0.hasPrefix("[") && $0.contains("-j DNAT --to-destination") })
    #expect(throws: BackendFault.self) { try topology.node.run { try inspectable.explain("none") { _ in } } }
  }

  @Test(arguments: rows)
  func aRangeWithoutEndpointsTellsRefusalFromSilence(_ row: Row) throws {
    let plan = row.plan
    let guarded = TestFrontend(SWL_PROXY_LOAD_BALANCER, plan.external, 80).flagged(SWL_PROXY_FRONTEND_SOURCE_RANGES)
    let (topology, _) = try run(row, [guarded], []) { $0.sourceRanges = row.family == 4 ? ["10.0.2.0/24"] : ["fd00:10:2::/64"] }
    #expect(try topology.knock(from: .podB, Sockets.tcp, plan.external, 80) == .refused)
    #expect(try topology.knock(from: .podA, Sockets.tcp, plan.external, 80, patience: 300) == .silent)
  }

  @Test(arguments: rows)
  func aClientStaysAtItsEndpointUntilItIsGone(_ row: Row) throws {
    let plan = row.plan
    let (topology, plugin) = try run(row, [.clusterIP(plan.cluster, 80), .nodePort(30080)]) { $0.affinitySeconds = 600 }
    let first = try servers(topology, .outside, plan.cluster, 80, times: 40)
    #expect(first.count == 1)
    // All front ends of the service port remember the same.
    #expect(try servers(topology, .outside, plan.node, 30080, times: 10) == first)
    // A change that keeps the endpoint keeps the memory.
    func service(_ endpoints: [TestEndpoint]) -> TestBatch {
      var service = TestService("default/web:http/6/\(row.family)", family: row.family, [.clusterIP(plan.cluster, 80)], endpoints)
      service.affinitySeconds = 600
      return TestBatch([service])
    }
    _ = try topology.node.run { try plugin.sync(service([plan.endpointB, plan.endpointA])) }
    #expect(try servers(topology, .outside, plan.cluster, 80, times: 40) == first)
    _ = try topology.node.run { try plugin.sync(service([first == ["A"] ? plan.endpointB : plan.endpointA])) }
    #expect(try servers(topology, .outside, plan.cluster, 80, times: 5) == (first == ["A"] ? ["B"] : ["A"]))
  }

  @Test(arguments: rows)
  func affinityEndsWithItsTime(_ row: Row) throws {
    let plan = row.plan
    let (topology, _) = try run(row, [.clusterIP(plan.cluster, 80)]) { $0.affinitySeconds = 1 }
    var seen: Set<String> = []
    let deadline = time(nil) + 60
    // Each attempt comes later than the memory lasts: the wait is what is tested.
    while seen.count < 2, time(nil) < deadline {
      seen.formUnion(try servers(topology, .outside, plan.cluster, 80, times: 1))
      poll(nil, 0, 1100)
    }
    #expect(seen == ["A", "B"])
  }

  @Test(arguments: rows)
  func whatNoServiceHoldsOfTheServiceNetworksIsRefused(_ row: Row) throws {
    let plan = row.plan
    let configuration = Plan.configuration.merging(["service-cidrs": "10.96.0.0/16,fd00:96::/64"]) { $1 }
    let (topology, _) = try run(row, [.clusterIP(plan.cluster, 80)], nil, configuration)
    for from in [Vantage.outside, .node, .podA] {
      for (address, port) in [(plan.otherCluster, UInt16(80)), (plan.cluster, 81)] {
        #expect(try topology.knock(from: from, Sockets.tcp, address, port) == .refused)
        #expect(try topology.knock(from: from, Sockets.udp, address, port) == .refused)
      }
      #expect(try topology.knock(from: from, Sockets.tcp, plan.cluster, 80).server != nil)
    }
  }

  @Test(arguments: rows)
  func podsAreToldByInterface(_ row: Row) throws {
    let plan = row.plan
    for configuration in [["pod-interface": "podB"], ["pod-interface-prefix": "podB"]] {
      let frontend = TestFrontend.clusterIP(plan.cluster, 80).masquerading(SWL_PROXY_MASQUERADE_FROM_OUTSIDE)
      let (topology, _) = try run(row, [frontend], [plan.endpointA], configuration)
      #expect(try topology.knock(from: .podB, Sockets.tcp, plan.cluster, 80).sawClient == plan.podB)
      #expect(plan.nodeAddresses.contains(try topology.knock(from: .outside, Sockets.tcp, plan.cluster, 80).sawClient ?? ""))
      #expect(plan.nodeAddresses.contains(try topology.knock(from: .node, Sockets.tcp, plan.cluster, 80).sawClient ?? ""))
    }
  }

  @Test(arguments: BackendUnderTest.allCases, ["", "192.0.2.0/24"])
  func nodePortsAnswerAtLoopbackWhereAsked(_ variant: BackendUnderTest, _ networks: String) throws {
    let plan = Plan.four
    let configuration = Plan.configuration.merging(["localhost-nodeports": "true", "nodeport-cidrs": networks]) { $1 }
    let (topology, _) = try run(Row(variant: variant, family: 4), [.nodePort(30080)], nil, configuration)
    let knocks = try topology.knock(16, from: .node, Sockets.tcp, plan.loopback, 30080)
    #expect(Set(knocks.map(\.server)) == ["A", "B"])
    #expect(knocks.allSatisfy { plan.nodeAddresses.contains($0.sawClient ?? "") })
    #expect(try topology.knock(from: .outside, Sockets.tcp, plan.node, 30080).server != nil)
    // A server of the node at loopback: a neighbour that routes 127/8 here does not reach it.
    let server = try EchoServer("secret", in: topology.node, port: 8088)
    defer { server.stop() }
    #expect(try topology.knock(from: .node, Sockets.tcp, plan.loopback, 8088).server == "secret")
    try topology.outside.setting("net/ipv4/conf/all/route_localnet", "1")
    try Command.run("ip", "addr", "del", "127.0.0.1/8", "dev", "lo", in: topology.outside)
    try Command.run("ip", "route", "add", "127.0.0.0/8", "via", plan.node, "src", plan.outside, in: topology.outside)
    #expect(try topology.knock(from: .outside, Sockets.tcp, plan.loopback, 8088, patience: 300).server == nil)
  }

  @Test(arguments: rows)
  func forwardedTrafficOfServicesPassesAFirewallThatDropsTheRest(_ row: Row) throws {
    let plan = row.plan
    let frontend = TestFrontend.nodePort(30080).masquerading(SWL_PROXY_MASQUERADE_ALWAYS)
    let (topology, _) = try run(row, [frontend, .clusterIP(plan.cluster, 80)])
    let tool = row.family == 4 ? "iptables" : "ip6tables"
    try Command.run("\(tool)-\(row.variant.rawValue)", "-P", "FORWARD", "DROP", in: topology.node)
    #expect(try servers(topology, .outside, plan.node, 30080, times: 8).isSubset(of: ["A", "B"]))
    #expect(try topology.knock(from: .outside, Sockets.tcp, plan.cluster, 80, patience: 300) == .silent)
  }
}
