import CNamespace
import Conntrack
import Glibc
import KubeModel
import Logging
import ProxyTesting
import ServiceProxy
import Testing

/// The real table, with packets that really flow: a client whose socket stays open, rules written with `nft`. Needs root.
@Suite(.blocking) struct FlowKernelTests {
  private func pods(_ node: Node) throws -> [DatagramSocket] {
    try [(node.plan.podA, "A"), (node.plan.podB, "B")].map { address, name in
      let socket = try DatagramSocket(in: node.node, bind: TransportAddress(address, Plan.target))
      socket.serve(name)
      return socket
    }
  }

  private func client(_ node: Node, _ address: IPAddress, _ port: UInt16) throws -> DatagramSocket {
    try DatagramSocket(in: node.client, connect: TransportAddress(address, port))
  }

  @Test(arguments: Plan.all, 0..<3) func aClientReachesTheNewEndpointOnceItsFlowIsDeleted(_ plan: Plan, _ way: Int) async throws {
    let node = try Node(plan)
    let pods = try pods(node)
    defer { pods.forEach { $0.shutDown() } }
    try node.start()
    let (address, port) = plan.ways[way]
    let socket = try client(node, address, port)
    try node.translate([(address, port, to: plan.podA)])
    #expect(socket.ask() == "A")
    try node.translate([(address, port, to: plan.podB)])
    // The flow outlives the rule: this is the disease.
    #expect(socket.ask() == "A")
    let report = try await node.commit([CommittedChange(plan.dns(plan.a), plan.dns(plan.b))])
    #expect(report.deleted == [.endpointGone: 1])
    #expect(report.fault == nil)
    #expect(socket.ask() == "B")
    let again = try await node.commit([CommittedChange(plan.dns(plan.a), plan.dns(plan.b))])
    #expect(again.deleted.isEmpty)
    #expect(socket.ask() == "B")
    await node.stop()
  }

  @Test(arguments: Plan.all, 0..<3) func aClientThatBeganBeforeTheServiceIsServedOnceItHasAnEndpoint(_ plan: Plan, _ way: Int) async throws
  {
    let node = try Node(plan)
    let pods = try pods(node)
    defer { pods.forEach { $0.shutDown() } }
    try node.start()
    let (address, port) = plan.ways[way]
    // On the node's own address somebody must listen for a flow to be remembered.
    let squatter = address == plan.node ? try DatagramSocket(in: node.node, bind: TransportAddress(address, port)) : nil
    let socket = try client(node, address, port)
    // The link may not carry the first ones yet.
    try await eventually {
      socket.send()
      return try node.tracked().contains { $0.hasPrefix("udp") }
    }
    try node.translate([(address, port, to: plan.podA)])
    #expect(socket.ask(patience: 200) == nil)
    let report = try await node.commit([CommittedChange(plan.dns(), plan.dns(plan.a))])
    #expect(report.deleted == [.untranslated: 1])
    #expect(socket.ask() == "A")
    withExtendedLifetime(squatter) {}
    await node.stop()
  }

  @Test(arguments: Plan.all) func aDeletedServiceLeavesNoFlow(_ plan: Plan) async throws {
    let node = try Node(plan)
    let pods = try pods(node)
    defer { pods.forEach { $0.shutDown() } }
    try node.start()
    try node.translate(plan.ways.map { ($0.address, $0.port, to: plan.podA) })
    let sockets = try plan.ways.map { try client(node, $0.address, $0.port) }
    #expect(sockets.map { $0.ask() } == ["A", "A", "A"])
    try node.translate([])
    #expect(sockets.map { $0.ask() } == ["A", "A", "A"])
    let report = try await node.commit([CommittedChange(plan.dns(plan.a), nil)])
    #expect(report.deleted == [.serviceGone: 3])
    #expect(try node.tracked().isEmpty)
    #expect(sockets[0].ask(patience: 200) == nil)
    await node.stop()
  }

  @Test(arguments: Plan.all) func aServiceThatLosesItsLastEndpointAndGetsAnotherServesItsOldClients(_ plan: Plan) async throws {
    let node = try Node(plan)
    let pods = try pods(node)
    defer { pods.forEach { $0.shutDown() } }
    try node.start()
    let socket = try client(node, plan.service, Plan.port)
    try node.translate([(plan.service, Plan.port, to: plan.podA)])
    #expect(socket.ask() == "A")
    try node.translate([])
    #expect(try await node.commit([CommittedChange(plan.dns(plan.a), plan.dns())]).deleted == [.endpointGone: 1])
    // Without a rule that refuses, the client makes an untranslated flow.
    #expect(socket.ask(patience: 200) == nil)
    try node.translate([(plan.service, Plan.port, to: plan.podB)])
    #expect(socket.ask(patience: 200) == nil)
    #expect(try await node.commit([CommittedChange(plan.dns(), plan.dns(plan.b))]).deleted == [.untranslated: 1])
    #expect(socket.ask() == "B")
    await node.stop()
  }

  /// k/k#122740.
  @Test(arguments: Plan.all) func aRestartEndsNoFlowThatHasItsEndpoint(_ plan: Plan) async throws {
    let node = try Node(plan)
    let pods = try pods(node)
    defer { pods.forEach { $0.shutDown() } }
    try node.translate([(plan.service, Plan.port, to: plan.podA), (plan.external, Plan.port, to: plan.podB)])
    let sockets = try [plan.service, plan.external].map { try client(node, $0, Plan.port) }
    #expect(sockets.map { $0.ask() } == ["A", "B"])
    // The endpoint B went while nobody watched.
    try node.translate([(plan.service, Plan.port, to: plan.podA), (plan.external, Plan.port, to: plan.podA)])
    try node.start()
    let listing = try await node.flows(of: plan.dns(plan.a))
    #expect(listing.count == 2)
    let report = try await node.commit([CommittedChange(nil, plan.dns(plan.a))], isFullLoad: true)
    #expect(report.isFull)
    #expect(report.deleted == [.endpointGone: 1])
    #expect(sockets.map { $0.ask() } == ["A", "A"])
    await node.stop()
  }

  @Test(arguments: Plan.all) func foreignFlowsAreUntouched(_ plan: Plan) async throws {
    let node = try Node(plan)
    try node.start()
    let table = EntryTable(plan)
    let stale = [table.entry(to: plan.service, 53, at: plan.podA, source: 4001), table.entry("sctp", to: plan.service, 53, at: plan.podA)]
    let foreign = [
      table.entry("tcp", to: plan.service, 53, at: plan.podA), table.entry(to: plan.service, 54, at: plan.podA, source: 4002),
      table.entry(to: plan.service, 53, at: plan.podB, source: 4003), table.entry(to: plan.service, 53, at: plan.elsewhere, source: 4004),
      table.entry(to: plan.elsewhere, Plan.nodePort, at: plan.podA, source: 4005),
      table.entry(to: plan.elsewhere, 53, at: plan.podA, source: 4006),
      table.entry(to: plan.podA, Plan.target, at: plan.podA),
    ]
    try table.load(stale + foreign, in: node.node)
    let before = try node.tracked()
    #expect(before.count == 9)
    let report = try await node.commit([
      CommittedChange(plan.dns(plan.a, plan.b), plan.dns(plan.b)),
      CommittedChange(plan.dns(plan.a, plan.b, ipProtocol: .sctp), plan.dns(plan.b, ipProtocol: .sctp)),
    ])
    #expect(report.deleted == [.endpointGone: 2])
    #expect(report.fault == nil)
    let after = try node.tracked()
    #expect(after.count == 7)
    #expect(after.allSatisfy { !$0.contains("sctp") })
    await node.stop()
  }

  /// The kernel compares tuples itself: other traffic of the node never reaches us.
  @Test(arguments: Plan.all) func theKernelFiltersTheDump(_ plan: Plan) async throws {
    let node = try Node(plan)
    try node.start()
    let table = EntryTable(plan)
    try table.load(
      (0..<100).map { table.entry("tcp", to: plan.service, 53, at: plan.podA, source: 5000 + $0) }
        + (0..<50).map { table.entry(to: plan.service, 54, at: plan.podA, source: 6000 + $0) }
        + (0..<3).map { table.entry(to: plan.service, 53, at: plan.podA, source: 5000 + $0) }, in: node.node)
    let all = try await node.commit([CommittedChange(plan.dns(), plan.dns(plan.a))])
    #expect(all.examined == 53)
    #expect(all.deleted.isEmpty)
    var single = plan.dns(plan.a)
    single.frontends.removeAll { $0.kind != .clusterIP }
    let report = try await node.commit([CommittedChange(single, nil)])
    #expect(report.examined == 3)
    #expect(report.deleted == [.serviceGone: 3])
    await node.stop()
  }

  @Test(arguments: Plan.all) func flowsAreListedWithStateAndCounters(_ plan: Plan) async throws {
    let node = try Node(plan)
    let pods = try pods(node)
    defer { pods.forEach { $0.shutDown() } }
    try node.node.setting("net/netfilter/nf_conntrack_acct", "1")
    try node.start()
    try node.translate([(plan.service, Plan.port, to: plan.podA)])
    let socket = try client(node, plan.service, Plan.port)
    #expect(socket.ask() == "A")
    let listing = try await node.flows(of: plan.dns(plan.a), limit: 0)
    #expect(listing.count == 1)
    #expect(listing.flows.isEmpty)
    let flow = try #require(try await node.flows(of: plan.dns(plan.a)).flows.first)
    #expect(flow.flow.reply.source == TransportAddress(plan.podA, Plan.target))
    #expect(flow.isReplied)
    let header: UInt64 = plan.family == .v4 ? 28 : 48
    #expect(flow.originalCounter == FlowCounter(packets: 1, bytes: header + 1))
    #expect(flow.replyCounter == FlowCounter(packets: 1, bytes: header + 1))
    let table = EntryTable(plan)
    try table.load(["tcp", "sctp"].map { table.entry($0, to: plan.service, 53, at: plan.podA) }, in: node.node)
    for (ipProtocol, state) in [(IPProtocol.tcp, "ESTABLISHED"), (.sctp, "ESTABLISHED")] {
      let listing = try await node.flows(of: plan.dns(plan.a, ipProtocol: ipProtocol))
      #expect(listing.count == 1)
      #expect(listing.flows.first?.state == state)
      #expect(listing.flows.first?.originalCounter?.packets == 0)
    }
    await node.stop()
  }

  @Test func withoutPrivilegesTheReportSaysSo() throws {
    let plan = Plan.all[0]
    let node = try Node(plan)
    let stale = StaleFlows([CommittedChange(plan.dns(plan.a), nil)])
    try node.node.run {
      let table = FlowTable()
      guard swl_drop_thread_to_nobody() == 0 else { throw SystemError("setresuid") }
      let report = table.reconcile { stale }
      #expect(report.fault?.kind == .denied)
      #expect(report.attempts == 1)
    }
  }
}
