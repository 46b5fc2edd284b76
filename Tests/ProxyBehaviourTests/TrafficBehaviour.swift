import Glibc
import PluginAPI
import ProxyTesting
import Testing

/// Connections while Services change: none is refused, reset, misdirected or late that the Services do not ask for.
/// Ten thousand in all for each backend.
struct TrafficBehaviour {
  let backend: BackendUnderTest

  private static let slot = 4200
  private static let nodePort: UInt16 = 29_200
  /// Restarts, or switches of the mode, at least.
  private static let repetitions = isVirtualMachineRing ? 1 : 4

  /// In the virtual machine code runs ten times slower; a backend that also runs elsewhere proves itself there.
  private func connections(_ count: Int) -> Int { isVirtualMachineRing && backend != .ipvs ? count / 5 : count }

  private func web(_ plan: Plan, _ endpoints: [TestEndpoint], slot: Int = slot, name: String = "web", nodePort: UInt16? = nodePort)
    -> TestService
  {
    var frontends: [TestFrontend] = [.clusterIP(plan.cluster(slot), 80)]
    if let nodePort { frontends.append(.nodePort(nodePort).masquerading(SWL_PROXY_MASQUERADE_ALWAYS)) }
    return TestService("default/\(name):http/\(plan.family)", family: plan.family, frontends, endpoints)
  }

  private static func targets(_ slot: Int, _ nodePort: UInt16?) -> [Row.Target] {
    Plan.both.flatMap { plan in
      [Row.Target(address: plan.cluster(slot), port: 80)] + (nodePort.map { [Row.Target(address: plan.node, port: $0)] } ?? [])
    }
  }

  private func conversations(_ topology: Topology) throws -> [Conversation] {
    try [Vantage.outside, .podA, .node].flatMap { client in
      try Self.targets(Self.slot, Self.nodePort).map { target in
        try topology.namespace(client).run { try Conversation(target.address, target.port) }
      }
    }
  }

  private func expectToGoOn(_ conversations: [Conversation]) {
    let ended = conversations.filter { !$0.echoes("still there") }.map(\.description)
    #expect(ended == [])
  }

  private func report(_ failures: [Crowd.Attempt], of attempts: [Crowd.Attempt]) {
    guard let first = failures.first else { return }
    Issue.record(
      "\(backend.rawValue): \(failures.count) of \(attempts.count) failed, first \(first.from.words) to target \(first.target): \(first.knock)"
    )
  }

  func endpointsRoll() throws {
    try Proxy.on(backend) { topology, proxy in
      typealias State = (labels: Set<String>, endpoints: @Sendable (Plan) -> [TestEndpoint])
      let states: [State] = [
        (["A", "B"], { [$0.endpointA, $0.endpointB] }), (["B"], { [$0.endpointB] }),
        (["B", "crowd1", "crowd2"], { [$0.endpointB] + $0.crowdEndpoints.prefix(2) }), (["crowd2"], { [$0.crowdEndpoints[1]] }),
        (["A", "crowd2"], { [$0.crowdEndpoints[1], $0.endpointA] }), (["A"], { [$0.endpointA] }),
      ]
      try proxy.sync(.full(Plan.both.map { web($0, states[0].endpoints($0)) }))
      let conversations = try conversations(topology)
      var history = History(states[0].labels)
      let crowd = try Crowd(connections(3000), to: Self.targets(Self.slot, Self.nodePort), topology)
      while !crowd.isDone || history.count < 7 {
        let state = states[history.count % states.count]
        try history.change(to: state.labels) { try proxy.sync(TestBatch(Plan.both.map { web($0, state.endpoints($0)) })) }
        // Chance, or the turns of IPVS, might leave out the one endpoint that serves in one state only.
        if history.count == 3 { crowd.goOn(by: 40) }
      }
      let attempts = try crowd.join()
      report(
        attempts.filter { attempt in
          guard let label = attempt.knock.server else { return true }
          return !history.states(during: attempt).contains { $0.contains(label) }
        }, of: attempts)
      #expect(Set(attempts.compactMap(\.knock.server)) == ["A", "B", "crowd1", "crowd2"])
      expectToGoOn(conversations)
    }
  }

  func servicesAreDeletedAndRecreated() throws {
    try Proxy.on(backend, .serviceNetworks) { topology, proxy in
      let steady = Plan.both.map { web($0, [$0.endpointA]) }
      let toggled = Plan.both.map { web($0, [$0.endpointB], slot: Self.slot + 1, name: "toggled", nodePort: nil) }
      try proxy.sync(.full(steady + toggled))
      // IPVS takes a Service nobody was connected to away at once, address and all, and the node's own clients are not told so.
      for plan in Plan.both { #expect(try topology.knock(from: .outside, Sockets.tcp, plan.cluster(Self.slot + 1), 80).server == "B") }
      let conversations = try conversations(topology)
      let targets = Self.targets(Self.slot, Self.nodePort) + Self.targets(Self.slot + 1, nil)
      let steadyTargets = targets.count - Plan.both.count
      var isThere = History(true)
      let crowd = try Crowd(connections(2500), to: targets, topology)
      while !crowd.isDone || isThere.count < 5 {
        try isThere.change(to: false) { try proxy.sync(TestBatch(removals: toggled.map(\.key))) }
        try isThere.change(to: true) { try proxy.sync(TestBatch(toggled)) }
      }
      let attempts = try crowd.join()
      report(
        attempts.filter { attempt in
          let label = attempt.target < steadyTargets ? "A" : "B"
          if attempt.knock.server == label { return false }
          let mayBeRefused = attempt.target >= steadyTargets && isThere.states(during: attempt).contains(false)
          return !(mayBeRefused && attempt.knock == .refused)
        }, of: attempts)
      expectToGoOn(conversations)
    }
  }

  func theBackendRestarts() throws {
    let topology = try Topology.shared
    try Proxy.on(topology, backend) { first in
      let others = (0..<20).flatMap { number in
        Plan.both.map { web($0, [$0.endpointB], slot: Self.slot + 10 + number, name: "other\(number)", nodePort: nil) }
      }
      let services = others + Plan.both.map { web($0, [$0.endpointA, $0.endpointB]) }
      try first.sync(.full(services))
      let conversations = try conversations(topology)
      first.stop()
      let crowd = try Crowd(connections(2500), to: Self.targets(Self.slot, Self.nodePort), topology)
      var restarts = 0
      while !crowd.isDone || restarts < Self.repetitions {
        restarts += 1
        let next = try Proxy(backend, Configuration.clusterNetworks.values, on: topology.node)
        for batch in TestBatch.load(services, batches: 4) { try next.sync(batch) }
        next.stop()
      }
      let attempts = try crowd.join()
      report(attempts.filter { $0.knock.server != "A" && $0.knock.server != "B" }, of: attempts)
      expectToGoOn(conversations)
    }
  }

  /// To nftables and back, or for nftables to its sibling and back.
  func theModeIsSwitched(_ sibling: BackendUnderTest) throws {
    let topology = try Topology.shared
    SharedProxy.release()
    let services = Plan.both.map { web($0, [$0.endpointA, $0.endpointB]) }
    var proxy = try Proxy(backend, Configuration.clusterNetworks.values, on: topology.node)
    var modes = History(backend)
    defer { proxy.remove() }
    try proxy.sync(.full(services))
    let conversations = try conversations(topology)
    let crowd = try Crowd(connections(2000), to: Self.targets(Self.slot, Self.nodePort), topology)
    while !crowd.isDone || modes.count <= Self.repetitions {
      let mode = modes.count % 2 == 0 ? backend : sibling
      try modes.change(to: mode) {
        let next = try Proxy(mode, Configuration.clusterNetworks.values, on: topology.node)
        try next.sync(.full(services))
        proxy.stop()
        try proxy.cleanup()
        proxy = next
      }
    }
    let attempts = try crowd.join()
    // IPVS keeps connections of its own, which end with it; those whose first packet it took among them.
    let endsConnections = [backend, sibling].contains(.ipvs)
    report(
      attempts.filter { attempt in
        let isServed = attempt.knock.server == "A" || attempt.knock.server == "B"
        let isEnded = attempt.knock == .silent || attempt.knock == .reset
        return !isServed && !(endsConnections && isEnded && modes.states(during: attempt).count > 1)
      }, of: attempts)
    if !endsConnections { expectToGoOn(conversations) }
  }
}

extension TrafficBehaviour {
  enum Claim: CaseIterable, Sendable {
    case endpointsRoll
    case servicesAreDeletedAndRecreated
    case theBackendRestarts
    case theModeIsSwitched
  }

  func check(_ claim: Claim) throws {
    switch claim {
    case .endpointsRoll: try endpointsRoll()
    case .servicesAreDeletedAndRecreated: try servicesAreDeletedAndRecreated()
    case .theBackendRestarts: try theBackendRestarts()
    case .theModeIsSwitched: try theModeIsSwitched(backend == .nftables ? .iptablesNFT : .nftables)
    }
  }
}
