import Glibc
import PluginAPI
import ProxyTesting
import Testing

/// A client that comes again finds its endpoint again.
struct AffinityBehaviour {
  let backend: BackendUnderTest

  private static let slot = 4000
  private static let port: UInt16 = 80

  private func service(_ plan: Plan, _ endpoints: some Sequence<TestEndpoint>, _ proto: UInt8 = Sockets.tcp, seconds: UInt32 = 600)
    -> TestService
  {
    var service = TestService(
      "default/sticky:http/\(Sockets.name(proto))/\(plan.family)", family: plan.family, proto: proto,
      [.clusterIP(plan.cluster(Self.slot), Self.port), .nodePort(29_000).masquerading(SWL_PROXY_MASQUERADE_ALWAYS)], Array(endpoints))
    service.affinitySeconds = seconds
    return service
  }

  private func guests(_ topology: Topology, _ plan: Plan, _ proto: UInt8 = Sockets.tcp) throws -> [String?] {
    try topology.guests(proto, plan, plan.cluster(Self.slot), Self.port).map(\.server)
  }

  /// Eight endpoints and two dozen clients: that all clients choose the same one is chance once in 8²³.
  func clientsStickEachToItsOwn() throws {
    try Proxy.on(backend) { topology, proxy in
      let combinations = Plan.both.flatMap { plan in [Sockets.tcp, Sockets.udp].map { (plan, $0) } }
      try proxy.sync(.full(combinations.map { service($0, $0.crowdEndpoints.prefix(8), $1) }))
      for (plan, proto) in combinations {
        let first = try guests(topology, plan, proto)
        #expect(Set(first).count > 1)
        for _ in 0..<3 { #expect(try guests(topology, plan, proto) == first) }
      }
    }
  }

  func podsAndTheNodeStickToo() throws {
    try Proxy.on(backend) { topology, proxy in
      try proxy.sync(.full(Plan.both.map { service($0, $0.crowdEndpoints.prefix(32)) }))
      for plan in Plan.both {
        // Not pod B, where the endpoints live: their answers to it would not pass the node.
        for client in [Vantage.podA, .node, .remote] {
          let knocks = try topology.knock(8, from: client, Sockets.tcp, plan.cluster(Self.slot), Self.port)
          #expect(knocks[0].server != nil && Set(knocks.map(\.server)).count == 1, "\(client) \(knocks)")
        }
      }
    }
  }

  /// Those who are near choose among all endpoints, at whatever port of the endpoint.
  func clientsThatAreNearStickToo() throws {
    try Proxy.on(backend) { topology, proxy in
      let services = Plan.both.map { plan in
        let frontends = [TestFrontend(SWL_PROXY_LOAD_BALANCER, plan.external(Self.slot), Self.port), .nodePort(29_001)]
        var service = TestService(
          "default/near:http/\(plan.family)", family: plan.family,
          frontends.map { $0.selecting(SWL_PROXY_SELECT_LOCAL).flagged(SWL_PROXY_FRONTEND_NEAR) }, Array(plan.crowdEndpoints.prefix(32)))
        service.affinitySeconds = 600
        return service
      }
      try proxy.sync(.full(services))
      for plan in Plan.both {
        for (client, address, port) in [
          (Vantage.podA, plan.external(Self.slot), Self.port), (.podA, plan.node, 29_001), (.node, plan.external(Self.slot), Self.port),
        ] {
          let knocks = try topology.knock(8, from: client, Sockets.tcp, address, port)
          #expect(knocks[0].server != nil && Set(knocks.map(\.server)).count == 1, "\(backend.rawValue) \(client) \(address) \(knocks)")
        }
      }
    }
  }

  func clientsOfAnEndpointThatGoesMoveAndNoOthers() throws {
    try Proxy.on(backend) { topology, proxy in
      try proxy.sync(.full(Plan.both.map { service($0, $0.crowdEndpoints.prefix(8)) }))
      for plan in Plan.both {
        let first = try guests(topology, plan)
        let gone = try #require(first.first ?? nil)
        let left = (1...8).filter { "crowd\($0)" != gone }.map { plan.crowdEndpoints[$0 - 1] }
        try proxy.sync(TestBatch([service(plan, left)]))
        let second = try guests(topology, plan)
        for (before, after) in zip(first, second) {
          if before == gone { #expect(after != gone) } else { #expect(after == before) }
        }
        #expect(try guests(topology, plan) == second)
      }
    }
  }

  func endpointsThatComeMoveNobody() throws {
    try Proxy.on(backend) { topology, proxy in
      try proxy.sync(.full(Plan.both.map { service($0, $0.crowdEndpoints.prefix(3)) }))
      for plan in Plan.both {
        let first = try guests(topology, plan)
        try proxy.sync(TestBatch([service(plan, plan.crowdEndpoints.prefix(8).reversed())]))
        #expect(try guests(topology, plan) == first)
      }
    }
  }

  func restartsMoveNobody() throws {
    let topology = try Topology.shared
    try Proxy.on(topology, backend) { proxy in
      let services = Plan.both.map { service($0, $0.crowdEndpoints.prefix(8)) }
      try proxy.sync(.full(services))
      let first = try Plan.both.map { try guests(topology, $0) }
      proxy.stop()
      try Proxy.on(topology, backend) { next in
        for batch in TestBatch.load(services, batches: 2) { try next.sync(batch) }
        #expect(try Plan.both.map { try guests(topology, $0) } == first)
      }
    }
  }

  func affinityHoldsAtAllFrontends() throws {
    try Proxy.on(backend) { topology, proxy in
      try proxy.sync(.full(Plan.both.map { service($0, $0.crowdEndpoints.prefix(8)) }))
      var holds = true
      for plan in Plan.both {
        let first = try guests(topology, plan)
        // One more client, lest front ends that each deal their clients out in turn agree by chance.
        _ = try topology.knock(from: .outside, Sockets.tcp, plan.node, 29_000)
        if try topology.guests(Sockets.tcp, plan, plan.node, 29_000).map(\.server) != first { holds = false }
      }
      expect(holds, .affinityAcrossFrontends)
    }
  }

  /// The shortest there is; an emulated machine may take most of that for a knock.
  private static let absence: UInt64 = isVirtualMachineRing ? 3 : 1

  /// So much absence ends it; traffic three times as often does not.
  func affinityEndsWithTheTimeAndNotBefore() throws {
    try Proxy.on(backend) { topology, proxy in
      try proxy.sync(.full(Plan.both.map { service($0, $0.crowdEndpoints.prefix(8), seconds: UInt32(Self.absence)) }))
      try staysWhileItComes(topology)
      var last = try Plan.both.map { try guests(topology, $0) }
      let moved = try Clock.wait(milliseconds: 10_000) {
        let away = Clock.now()
        _ = Clock.wait(milliseconds: 10_000) { Clock.now() - away > 1_600_000_000 * Self.absence }
        let next = try Plan.both.map { try guests(topology, $0) }
        defer { last = next }
        return zip(next, last).allSatisfy { $0 != $1 }
      }
      expect(moved, .affinityExpires)
    }
  }

  private func staysWhileItComes(_ topology: Topology) throws {
    // From before the knock: its first packet may have been sent at any time since.
    var last: [UInt8: (label: String?, began: UInt64)] = [:]
    var compared = 0
    // Not always in time on a busy machine: only what was is compared.
    _ = try Clock.wait(milliseconds: 60_000) {
      for plan in Plan.both {
        let began = Clock.now()
        let knock = try topology.knock(from: .guest, Sockets.tcp, plan.cluster(Self.slot), Self.port)
        if let last = last[plan.family], Clock.now() - last.began < 700_000_000 * Self.absence {
          #expect(knock.server == last.label)
          compared += 1
        }
        last[plan.family] = (knock.server, began)
      }
      let pause = Clock.now()
      _ = Clock.wait(milliseconds: 3000) { Clock.now() - pause > 300_000_000 * Self.absence }
      return compared >= 14
    }
    #expect(compared >= 14)
  }

  private func expect(_ holds: Bool, _ scenario: Unsupported.Scenario) {
    let reason = Unsupported.reason(backend, scenario)
    if holds == (reason != nil) {
      Issue.record("\(backend.rawValue): \(scenario.rawValue): \(holds), \(reason ?? "nothing") said to be unsupported")
    }
  }
}

extension AffinityBehaviour {
  enum Claim: CaseIterable, Sendable {
    case clientsStickEachToItsOwn
    case podsAndTheNodeStickToo
    case clientsThatAreNearStickToo
    case clientsOfAnEndpointThatGoesMoveAndNoOthers
    case endpointsThatComeMoveNobody
    case restartsMoveNobody
    case affinityHoldsAtAllFrontends
    case affinityEndsWithTheTimeAndNotBefore
  }

  func check(_ claim: Claim) throws {
    switch claim {
    case .clientsStickEachToItsOwn: try clientsStickEachToItsOwn()
    case .podsAndTheNodeStickToo: try podsAndTheNodeStickToo()
    case .clientsThatAreNearStickToo: try clientsThatAreNearStickToo()
    case .clientsOfAnEndpointThatGoesMoveAndNoOthers: try clientsOfAnEndpointThatGoesMoveAndNoOthers()
    case .endpointsThatComeMoveNobody: try endpointsThatComeMoveNobody()
    case .restartsMoveNobody: try restartsMoveNobody()
    case .affinityHoldsAtAllFrontends: try affinityHoldsAtAllFrontends()
    case .affinityEndsWithTheTimeAndNotBefore: try affinityEndsWithTheTimeAndNotBefore()
    }
  }
}
