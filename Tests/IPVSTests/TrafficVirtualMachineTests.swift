import Glibc
import IPVS
import PluginAPI
import PluginKit
import ProxyTesting
import Testing

/// Real packets through IPVS. Its kernel module is not everywhere, so it belongs to the ring of the virtual machine.
@Suite(.serialized, .enabled(if: isVirtualMachineRing, "runs in Scripts/test-vm, or with SWIFTLET_TEST_RING=vm"))
struct TrafficVirtualMachineTests {
  private static let both: Set<String> = ["A", "B"]
  private static let plans = [Scene.Plan.four, .six]

  private func service(
    _ plan: Scene.Plan, _ name: String, _ frontends: [TestFrontend], _ endpoints: [TestEndpoint]? = nil, udp: Bool = false
  )
    -> TestService
  {
    TestService(
      "default/\(name)/\(plan.family)", family: plan.family, proto: udp ? 17 : 6, frontends, endpoints ?? [plan.endpointA, plan.endpointB])
  }

  @Test(arguments: plans)
  func clusterAddressesAndNodePortsAnswer(_ plan: Scene.Plan) throws {
    let scene = try Scene()
    let backend = try scene.start()
    defer { backend.stop() }
    let always = TestFrontend.nodePort(30080).masquerading(SWL_PROXY_MASQUERADE_ALWAYS)
    let outsiders = TestFrontend.clusterIP(plan.other, 81).masquerading(SWL_PROXY_MASQUERADE_FROM_OUTSIDE)
    let failures = try backend.sync(
      .full([
        service(plan, "web", [.clusterIP(plan.cluster, 80), always]), service(plan, "dns", [.clusterIP(plan.cluster, 80)], udp: true),
        service(plan, "self", [.clusterIP(plan.cluster, 81)], [plan.endpointA]), service(plan, "outsiders", [outsiders], [plan.endpointB]),
      ]))
    #expect(failures.isEmpty)
    let (cluster, node) = (plan.cluster, plan.node)
    #expect(
      try scene.visit(4, from: scene.outside, cluster, 80) == [
        Visit(server: "A", sawClient: plan.outside), Visit(server: "B", sawClient: plan.outside),
      ])
    #expect(
      try scene.visit(4, from: scene.outside, cluster, 80, udp: true) == [
        Visit(server: "A", sawClient: plan.outside), Visit(server: "B", sawClient: plan.outside),
      ])
    let fromNode = try scene.visit(4, from: scene.node, cluster, 80)
    #expect(Set(fromNode.map(\.server)) == Self.both)
    #expect(plan.nodeAddresses.isSuperset(of: fromNode.map(\.sawClient)))
    // A pod that reaches itself is seen as the node, else as itself.
    #expect(
      try scene.visit(4, from: scene.podA, cluster, 80) == [
        Visit(server: "A", sawClient: plan.towardsA), Visit(server: "B", sawClient: plan.podA),
      ])
    #expect(try scene.visit(from: scene.podA, cluster, 81) == [Visit(server: "A", sawClient: plan.towardsA)])
    // Node ports, at each address of the node and masqueraded.
    for client in [scene.outside, scene.podB, scene.node] {
      for address in [node, plan.towardsA] {
        let visits = try scene.visit(4, from: client, address, 30080)
        #expect(Set(visits.map(\.server)) == Self.both, "\(visits)")
        #expect(plan.nodeAddresses.isSuperset(of: visits.map(\.sawClient)), "\(visits)")
      }
    }
    let loopback = plan.family == 4 ? "127.0.0.1" : "::1"
    #expect(try scene.visit(from: scene.node, loopback, 30080) == [Visit(server: "refused")])
    // Masquerading of what is no pod's.
    #expect(try scene.visit(from: scene.outside, plan.other, 81) == [Visit(server: "B", sawClient: plan.towardsB)])
    #expect(try scene.visit(from: scene.podA, plan.other, 81) == [Visit(server: "B", sawClient: plan.podA)])
    // Nothing of the node's own answers at a cluster address, and nobody at one that is not allocated.
    let unallocated = plan.family == 4 ? "10.96.0.77" : "fd00:96::77"
    for client in [scene.outside, scene.podB, scene.node] {
      #expect(try scene.visit(from: client, cluster, 99) == [Visit(server: "refused")])
      #expect(try scene.visit(from: client, cluster, 99, udp: true) == [Visit(server: "refused")])
    }
    #expect(try scene.visit(from: scene.podB, unallocated, 80) == [Visit(server: "refused")])
  }

  @Test(arguments: plans)
  func nearClientsReachAllEndpointsWhereOthersReachLocalOnes(_ plan: Scene.Plan) throws {
    let scene = try Scene()
    let backend = try scene.start()
    defer { backend.stop() }
    func local(_ frontend: TestFrontend) -> TestFrontend {
      frontend.selecting(SWL_PROXY_SELECT_LOCAL).flagged(SWL_PROXY_FRONTEND_NEAR).whenEmpty(SWL_PROXY_EMPTY_DROP)
    }
    let remote = TestFrontend(SWL_PROXY_EXTERNAL_IP, plan.external, 81)
    #expect(
      try backend.sync(
        .full([
          service(plan, "web", [local(TestFrontend(SWL_PROXY_LOAD_BALANCER, plan.external, 80)), local(.nodePort(30080))]),
          service(plan, "remote", [local(remote)], [plan.endpointB]),
        ])
      ).isEmpty)
    #expect(try scene.visit(4, from: scene.outside, plan.external, 80) == [Visit(server: "A", sawClient: plan.outside)])
    #expect(try scene.visit(4, from: scene.outside, plan.node, 30080) == [Visit(server: "A", sawClient: plan.outside)])
    #expect(try scene.servers(from: scene.podA, plan.external, 80) == Self.both)
    #expect(try scene.servers(from: scene.podA, plan.node, 30080) == Self.both)
    let fromNode = try scene.visit(4, from: scene.node, plan.external, 80)
    #expect(Set(fromNode.map(\.server)) == Self.both)
    #expect(plan.nodeAddresses.isSuperset(of: fromNode.map(\.sawClient)))
    // No local endpoint: silence to others, and all endpoints to the near ones.
    #expect(try scene.visit(from: scene.outside, plan.external, 81, patience: Visit.shortPatience) == [Visit(server: "silent")])
    #expect(try scene.visit(from: scene.podA, plan.external, 81) == [Visit(server: "B", sawClient: plan.podA)])
    #expect(try scene.servers(1, from: scene.node, plan.external, 81) == ["B"])
  }

  @Test(arguments: plans)
  func frontEndsWithoutEndpointsRefuseOrAreSilent(_ plan: Scene.Plan) throws {
    let scene = try Scene()
    let backend = try scene.start()
    defer { backend.stop() }
    let silent = TestFrontend.clusterIP(plan.other, 80).whenEmpty(SWL_PROXY_EMPTY_DROP)
    let refusing = service(plan, "refusing", [.clusterIP(plan.cluster, 80), .nodePort(30080)], [])
    let dropping = service(plan, "dropping", [silent], [])
    let datagrams = service(plan, "datagrams", [.clusterIP(plan.cluster, 53)], [], udp: true)
    try backend.sync(.full([refusing, dropping, datagrams]))
    for client in [scene.outside, scene.podB, scene.node] {
      #expect(try scene.visit(from: client, plan.cluster, 80) == [Visit(server: "refused")])
      #expect(try scene.visit(from: client, plan.node, 30080) == [Visit(server: "refused")])
      #expect(try scene.visit(from: client, plan.cluster, 53, udp: true) == [Visit(server: "refused")])
    }
    for client in [scene.outside, scene.node] {
      #expect(try scene.visit(from: client, plan.other, 80, patience: Visit.shortPatience) == [Visit(server: "silent")])
    }
    var counts: [String: UInt64?] = [:]
    try backend.counters("") { counts[$0] = $1.noEndpoint }
    #expect((counts[refusing.key] ?? 0) ?? 0 >= 6)
    #expect((counts[dropping.key] ?? 0) ?? 0 >= 2)
    // With an endpoint they answer at once.
    try backend.sync(TestBatch([service(plan, "refusing", refusing.frontends), service(plan, "dropping", [silent])]))
    #expect(try scene.servers(from: scene.outside, plan.cluster, 80) == Self.both)
    #expect(try scene.servers(from: scene.node, plan.other, 80) == Self.both)
  }

  @Test(arguments: plans)
  func onlySourcesInRangeAreServed(_ plan: Scene.Plan) throws {
    let scene = try Scene()
    let backend = try scene.start()
    defer { backend.stop() }
    func restricted(_ port: UInt16, _ ranges: [String]) -> TestService {
      var service = service(
        plan, "web\(port)", [TestFrontend(SWL_PROXY_LOAD_BALANCER, plan.external, port).flagged(SWL_PROXY_FRONTEND_SOURCE_RANGES)])
      service.sourceRanges = ranges
      return service
    }
    let outside = plan.family == 4 ? "192.0.2.2/32" : "fd00:c::2/128"
    let nodes = plan.family == 4 ? "192.0.2.1/32" : "fd00:c::1/128"
    let all = plan.family == 4 ? "0.0.0.0/0" : "::/0"
    try backend.sync(.full([restricted(80, [outside]), restricted(81, [nodes]), restricted(82, [all])]))
    #expect(try scene.servers(from: scene.outside, plan.external, 80) == Self.both)
    #expect(try scene.visit(from: scene.podA, plan.external, 80, patience: Visit.shortPatience) == [Visit(server: "silent")])
    #expect(try scene.visit(from: scene.node, plan.external, 80, patience: Visit.shortPatience) == [Visit(server: "silent")])
    #expect(try scene.visit(from: scene.outside, plan.external, 81, patience: Visit.shortPatience) == [Visit(server: "silent")])
    #expect(try scene.servers(from: scene.node, plan.external, 81) == Self.both)
    for client in [scene.outside, scene.podA, scene.node] { #expect(try scene.servers(from: client, plan.external, 82) == Self.both) }
  }

  @Test(arguments: plans)
  func aClientStaysWhereItWas(_ plan: Scene.Plan) throws {
    let scene = try Scene()
    let backend = try scene.start()
    defer { backend.stop() }
    var web = service(plan, "web", [.clusterIP(plan.cluster, 80)])
    web.affinitySeconds = 100
    try backend.sync(.full([web]))
    let chosen = try scene.servers(6, from: scene.outside, plan.cluster, 80)
    #expect(chosen.count == 1)
    #expect(try scene.onNode("ipvsadm", "-S", "-n").contains("-p 100"))
    // Its server goes: it moves, and the others' choice is free again without affinity.
    web.endpoints.removeAll { $0.address == (chosen.contains("A") ? plan.podA : plan.podB) }
    try backend.sync(TestBatch([web]))
    #expect(try scene.servers(3, from: scene.outside, plan.cluster, 80) == (chosen.contains("A") ? ["B"] : ["A"]))
    web.endpoints = [plan.endpointA, plan.endpointB]
    web.affinitySeconds = 0
    try backend.sync(TestBatch([web]))
    #expect(try scene.servers(8, from: scene.outside, plan.cluster, 80) == Self.both)
  }

  @Test func podsBehindABridgeAreToldFromOthers() throws {
    let plan = Scene.Plan.four
    for configuration in [["pod-interface": "podA"], ["pod-interface-prefix": "pod"]] {
      let scene = try Scene()
      let backend = try scene.start(configuration)
      defer { backend.stop() }
      let frontend = TestFrontend.clusterIP(plan.cluster, 80).masquerading(SWL_PROXY_MASQUERADE_FROM_OUTSIDE)
      try backend.sync(.full([service(plan, "web", [frontend], [plan.endpointB])]))
      #expect(try scene.visit(from: scene.outside, plan.cluster, 80) == [Visit(server: "B", sawClient: plan.towardsB)])
      #expect(try scene.visit(from: scene.podA, plan.cluster, 80) == [Visit(server: "B", sawClient: plan.podA)])
    }
  }
}
