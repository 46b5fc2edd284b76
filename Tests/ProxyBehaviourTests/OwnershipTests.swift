import PluginAPI
import PluginKit
import ProxyTesting
import Testing

/// What a backend leaves, removes and leaves alone.
@Suite(.serialized) struct OwnershipTests {
  private let plan = Plan.four
  private var web: TestService {
    TestService("default/web:http", [.clusterIP(plan.cluster, 80), .nodePort(30080)], [plan.endpointA, plan.endpointB])
  }

  @Test(arguments: BackendUnderTest.allCases)
  func cleanupLeavesNothingAndNamesWhatItRemoved(_ backend: BackendUnderTest) throws {
    let topology = try Topology()
    let before = try rules(topology, backend)
    let plugin = try topology.start(backend)
    try plugin.sync(.full([web]))
    plugin.stop()
    #expect(try topology.knock(from: .outside, Sockets.tcp, plan.cluster, 80).server != nil)
    var owned: [String] = []
    var removed: [String] = []
    try topology.node.run {
      try plugin.listOwned { owned.append($0) }
      try plugin.cleanup { removed.append($0) }
    }
    #expect(!owned.isEmpty)
    #expect(!removed.isEmpty)
    #expect(try rules(topology, backend) == before)
    #expect(try topology.knock(from: .podB, Sockets.tcp, plan.cluster, 80, patience: 300).server == nil)
    try topology.node.run {
      try plugin.cleanup { Issue.record("removed \($0) twice") }
      try plugin.listOwned { Issue.record("owns \($0) after cleanup") }
    }
  }

  @Test(arguments: BackendUnderTest.allCases)
  func stopLeavesTheRulesAtWork(_ backend: BackendUnderTest) throws {
    let topology = try Topology()
    let plugin = try topology.start(backend)
    try plugin.sync(.full([web]))
    plugin.stop()
    #expect(try topology.knock(from: .outside, Sockets.tcp, plan.cluster, 80).server != nil)
  }

  @Test(arguments: BackendUnderTest.allCases)
  func probingChangesNothing(_ backend: BackendUnderTest) throws {
    let topology = try Topology()
    let before = try rules(topology, backend)
    let plugin = try topology.node.run { try backend.make(Plan.configuration) }
    try topology.node.run { try plugin.probe() }
    #expect(try rules(topology, backend) == before)
    try topology.node.run { try plugin.start() }
    try plugin.sync(.full([web]))
    let during = try rules(topology, backend)
    try topology.node.run { try plugin.probe() }
    #expect(try rules(topology, backend) == during)
  }

  @Test(arguments: BackendUnderTest.allCases)
  func othersRulesAreLeftAlone(_ backend: BackendUnderTest) throws {
    let topology = try Topology()
    let foreign =
      "table ip filter { chain mine { type filter hook forward priority 0; policy accept; counter accept; }; }\n"
      + "table ip kube-proxy { set cluster-ips { type ipv4_addr; elements = { 10.96.7.7 }; }; }\n"
    try Command.run("nft", "-f", "-", in: topology.node, input: foreign)
    let before = try Command.run("nft", "-s", "list", "ruleset", in: topology.node)
    let plugin = try topology.start(backend)
    try plugin.sync(.full([web]))
    try plugin.sync(TestBatch(removals: [web.key]))
    plugin.stop()
    try topology.node.run { try plugin.cleanup { _ in } }
    #expect(try Command.run("nft", "-s", "list", "ruleset", in: topology.node) == before)
  }

  /// Others route and filter by it.
  @Test(arguments: BackendUnderTest.allCases)
  func aPacketsMarkIsLeftAsItWas(_ backend: BackendUnderTest) throws {
    let topology = try Topology()
    let plugin = try topology.start(backend)
    try plugin.sync(.full([web]))
    let others = """
      table ip others {
        chain marking { type filter hook prerouting priority -150; meta mark set 0xab0000; }
        chain checking { type filter hook forward priority 0; meta mark != 0xab0000 drop; }
      }

      """
    try Command.run("nft", "-f", "-", in: topology.node, input: others)
    for port in [(plan.cluster, UInt16(80)), (plan.node, 30080)] {
      let knocks = try topology.knock(8, from: .outside, Sockets.tcp, port.0, port.1)
      #expect(knocks.allSatisfy { $0.server != nil })
    }
  }

  @Test(arguments: BackendUnderTest.allCases)
  func anOperatorCanListTheRules(_ backend: BackendUnderTest) throws {
    let topology = try Topology()
    let plugin = try topology.start(backend)
    let six = Plan.six
    try plugin.sync(
      .full([
        web, TestService("default/none:http", [.clusterIP(plan.otherCluster, 53)], []),
        TestService("default/drop:http", [.clusterIP("10.96.0.3", 53).whenEmpty(SWL_PROXY_EMPTY_DROP)], []),
        TestService(
          "default/six:http", family: 6, proto: 17, [.clusterIP(six.cluster, 53).masquerading(SWL_PROXY_MASQUERADE_ALWAYS)], [six.endpointA]
        ),
        TestService("default/sctp:http", proto: 132, [.clusterIP(plan.cluster, 80)], [plan.endpointB]),
      ]))
    let lists = try backend.listCommands.map { try Command.run($0, in: topology.node) }
    for list in lists {
      #expect(list.contains(plan.cluster))
      #expect(list.contains(six.cluster))
      #expect(list.contains("sctp"))
    }
  }

  private func rules(_ topology: Topology, _ backend: BackendUnderTest) throws -> [String] {
    try backend.listCommands.map { try Command.run($0, in: topology.node) }
  }
}
