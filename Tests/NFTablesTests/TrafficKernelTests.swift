import Glibc
import NFTables
import PluginAPI
import PluginKit
import ProxyTesting
import Testing

/// What each part of the layout does to real packets. Needs root; fails without it.
@Suite(.serialized, .blocking) struct TrafficKernelTests {
  private let lab: Lab
  init() throws { lab = try Lab() }

  private func start(_ configuration: [String: String] = [:]) throws -> NFTablesBackend {
    try lab.node.run {
      let backend = try NFTablesBackend(host: HostServices(testing: { _, _ in }), configuration: configuration)
      try backend.probe()
      try backend.start()
      try backend.sync(.full([]))
      return backend
    }
  }

  private static let plans = [Lab.Plan.four, .six]
  private static let detections = [
    ["cluster-cidrs": "10.0.0.0/16,fd00:10::/32"], ["pod-interface": "poda"], ["pod-interface-prefix": "pod"],
  ]
  private func nft() throws -> String { try Command.run("nft", "list", "ruleset", in: lab.node) }

  private func counters(_ backend: NFTablesBackend, _ key: String) throws -> ProxyCounters? {
    var found: ProxyCounters?
    try backend.counters(key) { found = $1 }
    return found
  }

  /// What the counts of a service port gain by this. A connection whose first packet is not answered within a second sends another,
  /// which counts too: then all is done once more.
  private func gain(_ backend: NFTablesBackend, _ key: String, _ body: () throws -> Void) throws -> ProxyCounters {
    func difference(_ new: UInt64?, _ old: UInt64?) -> UInt64? { if let new, let old { new &- old } else { nil } }
    var attempts = 0
    while true {
      let before = try #require(try counters(backend, key))
      lab.slowest = .zero
      try body()
      let after = try #require(try counters(backend, key))
      attempts += 1
      if lab.slowest > .milliseconds(900), attempts < 10 { continue }
      return ProxyCounters(
        connections: difference(after.connections, before.connections), noEndpoint: difference(after.noEndpoint, before.noEndpoint),
        sourceRefused: difference(after.sourceRefused, before.sourceRefused))
    }
  }

  // MARK: - Local detection

  @Test(arguments: detections, plans)
  func whatDoesNotComeFromAPodIsMasqueraded(_ configuration: [String: String], _ plan: Lab.Plan) throws {
    let backend = try start(configuration)
    try backend.sync(TestBatch([plan.service([.clusterIP(plan.cluster, 80).masquerading(SWL_PROXY_MASQUERADE_FROM_OUTSIDE)], [plan.b])]))
    #expect(try lab.reach(from: lab.outside, plan.cluster, 80).saw == [plan.nodeB])
    #expect(try lab.reach(from: lab.podA, plan.cluster, 80).saw == [plan.podA])
    #expect(try lab.reach(from: lab.node, plan.cluster, 80).saw == [plan.nodeB])
    _ = try nft()
  }

  // MARK: - Near

  @Test(arguments: detections, plans)
  func whoIsNearReachesTheClusterAndOthersTheNode(_ configuration: [String: String], _ plan: Lab.Plan) throws {
    let backend = try start(configuration)
    let frontend = TestFrontend(SWL_PROXY_LOAD_BALANCER, plan.other, 80).selecting(SWL_PROXY_SELECT_LOCAL)
      .flagged(SWL_PROXY_FRONTEND_NEAR).whenEmpty(SWL_PROXY_EMPTY_DROP)
    try backend.sync(TestBatch([plan.service([frontend], [plan.a, plan.b])]))
    let outside = try lab.reach(from: lab.outside, plan.other, 80)
    #expect(outside.servers == ["A"])
    #expect(outside.saw == [plan.outside])
    let pod = try lab.reach(from: lab.podA, plan.other, 80)
    #expect(pod.servers == ["A", "B"])
    #expect(pod.saw.contains(plan.podA))
    let node = try lab.reach(from: lab.node, plan.other, 80)
    #expect(node.servers == ["A", "B"])
    #expect(node.saw == [plan.nodeA, plan.nodeB])
    // Without local endpoints the others meet silence.
    try backend.sync(TestBatch([plan.service([frontend], [plan.b])]))
    let key = "default/web:http/TCP/\(plan.family)"
    #expect(try counters(backend, key)?.noEndpoint == 0)
    let gained = try gain(backend, key) { () throws in
      #expect(try lab.knock(from: lab.outside, plan.other, 80, patience: 200) == .silent)
    }
    #expect(gained.noEndpoint == 1)
    #expect(try lab.reach(from: lab.podA, plan.other, 80).servers == ["B"])
    #expect((try counters(backend, key)?.connections ?? 0) >= 32 * 4)
    // And without any, all do.
    try backend.sync(TestBatch([plan.service([frontend], [])]))
    for client in [lab.podA, lab.node, lab.outside] { #expect(try lab.knock(from: client, plan.other, 80, patience: 200) == .silent) }
    _ = try nft()
  }

  @Test(arguments: plans)
  func withoutDetectionOnlyTheNodeIsNear(_ plan: Lab.Plan) throws {
    let backend = try start()
    let frontend = TestFrontend.nodePort(30080).selecting(SWL_PROXY_SELECT_LOCAL).flagged(SWL_PROXY_FRONTEND_NEAR)
    try backend.sync(TestBatch([plan.service([frontend], [plan.a, plan.b])]))
    #expect(try lab.reach(from: lab.podB, plan.node, 30080).servers == ["A"])
    #expect(try lab.reach(from: lab.node, plan.node, 30080).servers == ["A", "B"])
  }

  // MARK: - Source ranges

  @Test(arguments: plans)
  func onlySourcesInTheRangesAreServed(_ plan: Lab.Plan) throws {
    let backend = try start()
    let key = "default/web:http/TCP/\(plan.family)"
    let restricted = [
      TestFrontend.clusterIP(plan.cluster, 80),
      TestFrontend(SWL_PROXY_LOAD_BALANCER, plan.other, 80).flagged(SWL_PROXY_FRONTEND_SOURCE_RANGES),
      TestFrontend.nodePort(30080).flagged(SWL_PROXY_FRONTEND_SOURCE_RANGES),
    ]
    // One inside of another, which the kernel would refuse.
    try backend.sync(TestBatch([plan.service(restricted, [plan.b], ranges: [plan.whole, "\(plan.podA)/\(plan.family == 4 ? 32 : 128)"])]))
    let gained = try gain(backend, key) { () throws in
      #expect(try lab.knock(from: lab.podA, plan.other, 80).server == "B")
      #expect(try lab.knock(from: lab.outside, plan.other, 80, patience: 200) == .silent)
      #expect(try lab.knock(from: lab.outside, plan.node, 30080, patience: 200) == .silent)
      #expect(try lab.knock(from: lab.podA, plan.node, 30080).server == "B")
      #expect(try lab.knock(from: lab.outside, plan.cluster, 80).server == "B")
    }
    #expect(gained.sourceRefused == 2)
    #expect(gained.connections == 3)
    // Narrower and elsewhere, in one step.
    let outside = "\(plan.outside)/\(plan.family == 4 ? 24 : 64)"
    #expect(try backend.sync(TestBatch([plan.service(restricted, [plan.b], ranges: [outside])])).isEmpty)
    #expect(try lab.knock(from: lab.podA, plan.other, 80, patience: 200) == .silent)
    #expect(try lab.knock(from: lab.outside, plan.other, 80).server == "B")
    // Nobody at all; then everybody.
    try backend.sync(TestBatch([plan.service(restricted, [plan.b])]))
    #expect(try lab.knock(from: lab.outside, plan.other, 80, patience: 200) == .silent)
    try backend.sync(TestBatch([plan.service(restricted, [plan.b], ranges: [plan.family == 4 ? "0.0.0.0/0" : "::/0"])]))
    #expect(try lab.knock(from: lab.outside, plan.other, 80).server == "B")
    // Without endpoints, sources outside of the ranges meet silence and not a refusal.
    try backend.sync(TestBatch([plan.service(restricted, [], ranges: [outside])]))
    #expect(try lab.knock(from: lab.podA, plan.other, 80, patience: 200) == .silent)
    #expect(try lab.knock(from: lab.outside, plan.other, 80) == .refused)
    _ = try nft()
  }

  // MARK: - Affinity

  @Test(arguments: plans)
  func aClientStaysUntilItsEndpointGoes(_ plan: Lab.Plan) throws {
    let backend = try start()
    let frontends = [TestFrontend.clusterIP(plan.cluster, 80), .nodePort(30080)]
    for (address, port) in [(plan.cluster, UInt16(80)), (plan.node, 30080)] {
      try backend.sync(TestBatch([plan.service(frontends, [plan.a, plan.b], affinity: 600)]))
      let first = try #require(try lab.knock(from: lab.outside, address, port).server)
      #expect(try lab.reach(from: lab.outside, address, port).servers == [first])
      // Others come and go, and the order changes.
      let third = TestEndpoint(plan.outside, 9)
      for endpoints in [[plan.b, third, plan.a], [third, plan.a, plan.b], [plan.b, plan.a]] {
        try backend.sync(TestBatch([plan.service(frontends, endpoints, affinity: 600)]))
        #expect(try lab.reach(from: lab.outside, address, port).servers == [first])
      }
      // A restart of the daemon.
      backend.stop()
      try lab.node.run { try backend.start() }
      try backend.sync(.full([plan.service(frontends, [third, plan.b, plan.a], affinity: 600)]))
      #expect(try lab.reach(from: lab.outside, address, port).servers == [first])
      // Its endpoint goes: at once to the other, and it stays there when the first comes back.
      let (left, other) = first == "A" ? (plan.b, "B") : (plan.a, "A")
      try backend.sync(TestBatch([plan.service(frontends, [left], affinity: 600)]))
      #expect(try lab.reach(from: lab.outside, address, port).servers == [other])
      try backend.sync(TestBatch([plan.service(frontends, [plan.a, plan.b], affinity: 600)]))
      #expect(try lab.reach(from: lab.outside, address, port).servers == [other])
    }
    let list = try nft()
    #expect(list.contains("\(plan.outside) . \(plan.cluster) . tcp . 80"))
  }

  @Test(arguments: plans)
  func aClientThatWasSilentForLongIsForgotten(_ plan: Lab.Plan) throws {
    let backend = try start()
    try backend.sync(TestBatch([plan.service([.clusterIP(plan.cluster, 80)], [plan.a, plan.b], affinity: 1)]))
    let key = try #require(Address(plan.cluster, plan.family == 4 ? .ipv4 : .ipv6))
    let family: Family = plan.family == 4 ? .ipv4 : .ipv6
    let remembered: () throws -> Bool = {
      try lab.node.run {
        try Readback(NetlinkConnection(try NetlinkSocket())).allElements(family, .affinity).contains { $0.element.key.address == key }
      }
    }
    // Each connection starts the time again: for longer than it lasts, the client stays.
    try knockWithoutPause(for: .milliseconds(1600), plan, remembered)
    // Then it is silent until the kernel has forgotten it.
    let deadline = ContinuousClock.now + .seconds(30)
    while try remembered(), ContinuousClock.now < deadline { sched_yield() }
    #expect(try !remembered())
    try knockWithoutPause(for: .zero, plan, remembered)
  }

  /// Expects one server for all this time, and that the client is remembered after it. A machine that pauses for about as long as a
  /// client is remembered shows nothing: then it begins anew.
  private func knockWithoutPause(for time: Duration, _ plan: Lab.Plan, _ remembered: () throws -> Bool) throws {
    for _ in 0..<20 {
      let begin = ContinuousClock.now
      var last = begin
      var pause = Duration.zero
      // The pause between two packets is at most that between the start of one connection and the end of the next.
      func knock() throws -> String? {
        let start = ContinuousClock.now
        let server = try lab.knock(from: lab.outside, plan.cluster, 80).server
        pause = max(pause, ContinuousClock.now - last)
        last = start
        return server
      }
      let answer = try knock()
      let first = try #require(answer)
      #expect(["A", "B"].contains(first))
      var servers: Set<String?> = [first]
      while ContinuousClock.now < begin + time, pause < .milliseconds(800) { try servers.insert(knock()) }
      let isRemembered = try remembered()
      pause = max(pause, ContinuousClock.now - last)
      guard pause < .milliseconds(800) else { continue }
      #expect(servers == [first])
      #expect(isRemembered)
      return
    }
    Issue.record("the machine paused each time")
  }

  @Test(arguments: plans)
  func clientsThatMayNoLongerUseAnEndpointLeaveIt(_ plan: Lab.Plan) throws {
    let backend = try start(["pod-interface-prefix": "pod"])
    let frontend = TestFrontend(SWL_PROXY_LOAD_BALANCER, plan.other, 80)
    try backend.sync(TestBatch([plan.service([frontend], [plan.b], affinity: 600)]))
    #expect(try lab.knock(from: lab.outside, plan.other, 80).server == "B")
    #expect(try lab.knock(from: lab.podA, plan.other, 80).server == "B")
    let near = frontend.selecting(SWL_PROXY_SELECT_LOCAL).flagged(SWL_PROXY_FRONTEND_NEAR)
    try backend.sync(TestBatch([plan.service([near], [plan.a, plan.b], affinity: 600)]))
    #expect(try lab.reach(from: lab.outside, plan.other, 80).servers == ["A"])
    #expect(try lab.reach(from: lab.podA, plan.other, 80).servers.count == 1)
  }

  // MARK: - Others

  @Test(arguments: plans)
  func whatNobodyHoldsOfTheServiceRangesIsRefused(_ plan: Lab.Plan) throws {
    let backend = try start(["service-cidrs": "10.96.0.0/16,fd00:96::/112"])
    try backend.sync(TestBatch([plan.service([.clusterIP(plan.cluster, 80)], [plan.a])]))
    for namespace in [lab.outside, lab.node, lab.podB] {
      #expect(try lab.knock(from: namespace, plan.cluster, 80).server == "A")
      #expect(try lab.knock(from: namespace, plan.cluster, 81) == .refused)
      #expect(try lab.knock(from: namespace, plan.other, 80) == .refused)
    }
  }

  @Test func invalidPacketsAreDroppedUnlessSomebodyWantsThem() throws {
    _ = try start()
    #expect(try nft().contains("ct state invalid drop"))
    let again = try start(["drop-invalid": "false"])
    #expect(try !nft().contains("ct state invalid"))
    #expect(try !nft().contains("hook forward"))
    again.stop()
    _ = try start(["drop-invalid": "true"])
    #expect(try nft().contains("hook forward"))
  }

  @Test(arguments: plans)
  func aFamilyWithoutANetworkForNodePortsHasNone(_ plan: Lab.Plan) throws {
    let backend = try start(["nodeport-cidrs": plan.family == 4 ? "fd00:c::/64" : "192.0.2.0/24"])
    try backend.sync(TestBatch([plan.service([.nodePort(30080), .clusterIP(plan.cluster, 80)], [plan.a])]))
    #expect(try lab.knock(from: lab.outside, plan.node, 30080) == .refused)
    #expect(try lab.knock(from: lab.outside, plan.cluster, 80).server == "A")
  }

  @Test(arguments: plans)
  func countsSurviveAChangeOfTheClass(_ plan: Lab.Plan) throws {
    let backend = try start()
    let key = "default/web:http/TCP/\(plan.family)"
    let frontends = [TestFrontend.clusterIP(plan.cluster, 80), .nodePort(30080)]
    try backend.sync(TestBatch([plan.service(frontends, [plan.a])]))
    #expect(try counters(backend, key) == ProxyCounters(connections: 0, noEndpoint: 0, sourceRefused: 0))
    let gained = try gain(backend, key) { () throws in
      try backend.sync(TestBatch([plan.service(frontends, [plan.a])]))
      _ = try lab.knock(3, from: lab.outside, plan.cluster, 80)
      try backend.sync(TestBatch([plan.service(frontends, [plan.a, plan.b])]))
      _ = try lab.knock(4, from: lab.outside, plan.node, 30080)
      try backend.sync(TestBatch([plan.service(frontends, [])]))
      _ = try lab.knock(2, from: lab.outside, plan.cluster, 80)
      try backend.sync(TestBatch([plan.service(frontends, [plan.b])]))
      _ = try lab.knock(1, from: lab.outside, plan.cluster, 80)
    }
    #expect(gained == ProxyCounters(connections: 8, noEndpoint: 2, sourceRefused: 0))
    let all = try counters(backend, key)
    // Of all: the same.
    #expect(try counters(backend, "") == all)
    // A packet that is for another machine is not counted, though its port is that of a node port.
    _ = try lab.knock(from: lab.outside, plan.podB, 30080)
    #expect(try counters(backend, key)?.connections == all?.connections)
    #expect(throws: BackendFault.self) { try counters(backend, "default/none") }
  }
}
