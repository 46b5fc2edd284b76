import PluginAPI
import PluginKit
import ProxyTesting
import Testing

/// What a backend leaves, removes and leaves alone.
struct OwnershipBehaviour {
  let backend: BackendUnderTest

  private let plan = Plan.four
  private static let slot = 4500
  private static let nodePort: UInt16 = 29_500

  private var cluster: String { plan.cluster(Self.slot) }
  private var web: TestService {
    TestService("default/web:http", [.clusterIP(cluster, 80), .nodePort(Self.nodePort)], [plan.endpointA, plan.endpointB])
  }

  func cleanupLeavesNothingAndNamesWhatItRemoved() throws {
    SharedProxy.release()
    let before = try KernelListing.lines(backend, Topology.shared.node)
    try Proxy.on(backend, .serviceNetworks) { topology, proxy in
      var story = ServiceStory(seed: 7)
      for _ in 0..<4 { _ = story.next() }
      try proxy.sync(.full(story.services + [web]))
      #expect(try topology.knock(from: .outside, Sockets.tcp, cluster, 80).server != nil)
      proxy.stop()
      #expect(try !proxy.owned().isEmpty)
      #expect(try !proxy.cleanup().isEmpty)
      #expect(try KernelListing.lines(backend, topology.node) == before)
      #expect(try topology.knock(from: .podB, Sockets.tcp, cluster, 80, patience: Knock.shortPatience).server == nil)
      #expect(try proxy.cleanup().isEmpty)
      #expect(try proxy.owned().isEmpty)
    }
  }

  func stopLeavesTheRulesAtWork() throws {
    try Proxy.on(backend) { topology, proxy in
      try proxy.sync(.full([web]))
      proxy.stop()
      #expect(try topology.knock(from: .outside, Sockets.tcp, cluster, 80).server != nil)
      #expect(try topology.knock(from: .outside, Sockets.tcp, plan.node, Self.nodePort).server != nil)
    }
  }

  func probingChangesNothing() throws {
    let node = try NetworkNamespace()
    let before = try KernelListing.lines(backend, node)
    let plugin = try node.run { try backend.make(Configuration.clusterNetworks.values) }
    try node.run { try plugin.probe() }
    #expect(try KernelListing.lines(backend, node) == before)
    try node.run {
      try plugin.start()
      try plugin.sync(.full([web]))
    }
    let during = try KernelListing.lines(backend, node)
    try node.run { try plugin.probe() }
    #expect(try KernelListing.lines(backend, node) == during)
  }

  func othersRulesAreLeftAlone() throws {
    let node = try NetworkNamespace()
    try Command.run(
      "nft", "-f", "-", in: node,
      input: """
        table ip others { chain mine { type filter hook forward priority 0; policy accept; counter accept; }; }
        table ip kube-proxy { set cluster-ips { type ipv4_addr; elements = { 10.96.7.7 }; }; }

        """)
    let tool = backend == .iptablesLegacy ? "iptables-legacy" : "iptables-nft"
    for rule in [
      "-N THEIRS", "-A THEIRS -p tcp --dport 7 -j ACCEPT", "-A PREROUTING -j THEIRS", "-A POSTROUTING -p udp --dport 9 -j ACCEPT",
    ] {
      try Command.run([tool, "-w", "-t", "nat"] + rule.split(separator: " ").map(String.init), in: node)
    }
    func theirs() throws -> [String] {
      try KernelListing.lines(backend, node)
        + KernelListing.lines(.nftables, node).filter { $0.contains("others") || $0.contains("kube-proxy") }
    }
    let before = try theirs()
    let proxy = try Proxy(backend, Configuration.serviceNetworks.values, on: node)
    try proxy.sync(.full([web]))
    try proxy.sync(TestBatch(removals: [web.key]))
    proxy.stop()
    try proxy.cleanup()
    #expect(try theirs() == before)
  }

  /// Others route and filter by it.
  func aPacketsMarkIsLeftAsItWas() throws {
    try Proxy.on(backend) { topology, proxy in
      try proxy.sync(.full([web]))
      let others = """
        table ip others {
          chain marking { type filter hook prerouting priority -150; meta mark set 0xab0000; }
          chain checking { type filter hook forward priority 0; meta mark != 0xab0000 drop; }
        }

        """
      try Command.run("nft", "-f", "-", in: topology.node, input: others)
      defer { _ = try? Command.run("nft", "delete", "table", "ip", "others", in: topology.node) }
      for (address, port) in [(cluster, UInt16(80)), (plan.node, Self.nodePort)] {
        let knocks = try topology.knock(8, from: .outside, Sockets.tcp, address, port)
        #expect(knocks.allSatisfy { $0.server != nil }, "\(backend.rawValue): \(knocks)")
      }
    }
  }

  func anOperatorCanListTheRules() throws {
    try Proxy.on(backend) { topology, proxy in
      let six = Plan.six
      try proxy.sync(
        .full([
          web, TestService("default/none:http", [.clusterIP(plan.cluster(Self.slot + 1), 53)], []),
          TestService("default/drop:http", [.clusterIP(plan.cluster(Self.slot + 2), 53).whenEmpty(SWL_PROXY_EMPTY_DROP)], []),
          TestService(
            "default/six:http", family: 6, proto: 17,
            [.clusterIP(six.cluster(Self.slot), 53).masquerading(SWL_PROXY_MASQUERADE_ALWAYS)], [six.endpointA]),
          TestService("default/sctp:http", proto: 132, [.clusterIP(cluster, 80)], [plan.endpointB]),
        ]))
      let text = try backend.listCommands.map { try Command.run($0, in: topology.node) }.joined()
      for words in [cluster, six.cluster(Self.slot), "sctp"] { #expect(text.contains(words), "\(backend.rawValue): no \(words)") }
    }
  }
}

extension OwnershipBehaviour {
  enum Claim: CaseIterable, Sendable {
    case cleanupLeavesNothingAndNamesWhatItRemoved
    case stopLeavesTheRulesAtWork
    case probingChangesNothing
    case othersRulesAreLeftAlone
    case aPacketsMarkIsLeftAsItWas
    case anOperatorCanListTheRules
  }

  func check(_ claim: Claim) throws {
    switch claim {
    case .cleanupLeavesNothingAndNamesWhatItRemoved: try cleanupLeavesNothingAndNamesWhatItRemoved()
    case .stopLeavesTheRulesAtWork: try stopLeavesTheRulesAtWork()
    case .probingChangesNothing: try probingChangesNothing()
    case .othersRulesAreLeftAlone: try othersRulesAreLeftAlone()
    case .aPacketsMarkIsLeftAsItWas: try aPacketsMarkIsLeftAsItWas()
    case .anOperatorCanListTheRules: try anOperatorCanListTheRules()
    }
  }
}
