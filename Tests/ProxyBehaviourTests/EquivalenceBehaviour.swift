import PluginAPI
import ProxyTesting
import Testing

/// However the Services came to be as they are, the kernel holds the same.
struct EquivalenceBehaviour {
  let backend: BackendUnderTest

  private static let steps = 14
  private static let seeds: [UInt64] = isVirtualMachineRing ? [1] : [1, 2, 3, 4, 5]

  func changesLeaveWhatAFullLoadMakes() throws {
    for seed in Self.seeds {
      var story = ServiceStory(seed: seed)
      let node = try node()
      let proxy = try Proxy(backend, Configuration.serviceNetworks.values, on: node)
      try proxy.sync(.full([]))
      for step in 0..<Self.steps {
        #expect(try proxy.sync(story.next()).isEmpty)
        if step == Self.steps / 2 || step == Self.steps - 1 {
          try compare(node, story.services, .afterChanges, "seed \(seed), step \(step)")
        }
      }
      // What no Service of one load uses is gone after the next.
      for _ in 0..<2 { for batch in TestBatch.load(story.services.reversed(), batches: 3) { try proxy.sync(batch) } }
      try compare(node, story.services, .afterLoad, "seed \(seed), loaded again")
      for _ in 0..<2 { try proxy.sync(.full([])) }
      try compare(node, [], .afterLoad, "seed \(seed), nothing left")
      proxy.stop()
      try proxy.cleanup()
    }
  }

  private func node() throws -> NetworkNamespace {
    let node = try NetworkNamespace()
    try Command.run("ip", "-batch", "-", in: node, input: "addr add 192.0.2.1/24 dev lo\naddr add fd00:c::1/64 dev lo nodad\n")
    return node
  }

  /// Holds the node against a new one, where the same Services were loaded and nothing else ever was.
  private func compare(_ grown: NetworkNamespace, _ services: [TestService], _ moment: KernelListing.Moment, _ when: String) throws {
    let fresh = try node()
    let proxy = try Proxy(backend, Configuration.serviceNetworks.values, on: fresh)
    #expect(try proxy.sync(.full(services)).isEmpty)
    let grownLines = try KernelListing.lines(backend, grown, moment)
    let freshLines = try KernelListing.lines(backend, fresh, moment)
    proxy.stop()
    try proxy.cleanup()
    guard grownLines != freshLines else { return }
    let onlyGrown = Set(grownLines).subtracting(freshLines).sorted()
    let onlyFresh = Set(freshLines).subtracting(grownLines).sorted()
    Issue.record(
      """
      \(backend.rawValue), \(when): \(grownLines.count) and \(freshLines.count) lines; \(onlyGrown.count) only there, \(onlyFresh.count) only when loaded afresh
      there:         \(onlyGrown.prefix(3).joined(separator: "\n").prefix(3000))
      loaded afresh: \(onlyFresh.prefix(3).joined(separator: "\n").prefix(3000))
      """)
  }
}

/// Services that come, change, hand their front ends on and go, the same way for the same seed.
struct ServiceStory {
  private var random: SplitMix
  private var current: [String: TestService] = [:]
  private static let slots = 16

  init(seed: UInt64) { random = SplitMix(state: seed) }

  var services: [TestService] { current.values.sorted { $0.key < $1.key } }

  /// One to six service ports change.
  mutating func next() -> TestBatch {
    var batch = TestBatch()
    var slots = Set<Int>()
    for _ in 0..<Int.random(in: 1...6, using: &random) {
      let slot = Int.random(in: 0..<Self.slots, using: &random)
      guard slots.insert(slot).inserted else { continue }
      // Two keys share a slot's front ends, and one of them at most exists.
      let holder = ["blue", "green"].map { key($0, slot) }.first { current[$0] != nil }
      let next = key(Bool.random(using: &random) ? "blue" : "green", slot)
      if let holder, holder != next || Int.random(in: 0..<4, using: &random) == 0 {
        batch.removals.append(holder)
        current[holder] = nil
        if holder == next { continue }
      }
      let service = service(next, slot)
      current[next] = service
      batch.upserts.append(service)
    }
    return batch
  }

  private func key(_ name: String, _ slot: Int) -> String { "default/\(name)-\(slot):http" }

  private mutating func service(_ key: String, _ slot: Int) -> TestService {
    let plan = slot % 2 == 0 ? Plan.four : .six
    let proto = [Sockets.tcp, Sockets.udp, Sockets.tcp, Sockets.sctp][slot / 2 % 4]
    var frontends: [TestFrontend] = []
    for (kind, address, port) in [
      (SWL_PROXY_CLUSTER_IP, plan.cluster(slot), UInt16(80)), (SWL_PROXY_NODE_PORT, nil, UInt16(30_000 + slot)),
      (SWL_PROXY_EXTERNAL_IP, plan.external(slot), 80), (SWL_PROXY_LOAD_BALANCER, plan.external(slot + 100), 443),
    ] where Int.random(in: 0..<3, using: &random) != 0 { frontends.append(frontend(kind, address, port)) }
    var service = TestService(key, family: plan.family, proto: proto, frontends, endpoints(plan))
    if Int.random(in: 0..<4, using: &random) == 0 { service.affinitySeconds = Bool.random(using: &random) ? 10_800 : 60 }
    if Bool.random(using: &random) { service.sourceRanges = plan.family == 4 ? ["192.0.2.0/24", "10.0.0.0/8"] : ["fd00:c::/64"] }
    return service
  }

  private mutating func frontend(_ kind: swl_proxy_frontend_kind_t, _ address: String?, _ port: UInt16) -> TestFrontend {
    var frontend = TestFrontend(kind, address, port)
    frontend.masquerade = swl_proxy_masquerade_t.random(in: 0...2, using: &random)
    if kind != SWL_PROXY_CLUSTER_IP {
      if Bool.random(using: &random) { frontend = frontend.selecting(SWL_PROXY_SELECT_LOCAL) }
      if Bool.random(using: &random) { frontend = frontend.flagged(SWL_PROXY_FRONTEND_NEAR) }
    }
    if kind == SWL_PROXY_LOAD_BALANCER && Bool.random(using: &random) { frontend = frontend.flagged(SWL_PROXY_FRONTEND_SOURCE_RANGES) }
    if Bool.random(using: &random) { frontend = frontend.whenEmpty(SWL_PROXY_EMPTY_DROP) }
    return frontend
  }

  private mutating func endpoints(_ plan: Plan) -> [TestEndpoint] {
    let count = [0, 1, 1, 2, 2, 3, 5, 9].randomElement(using: &random) ?? 1
    let numbers = (1...12).shuffled(using: &random).prefix(count)
    return numbers.map { number in
      let flags = [
        SWL_PROXY_ENDPOINT_CLUSTER, SWL_PROXY_ENDPOINT_CLUSTER | SWL_PROXY_ENDPOINT_LOCAL | SWL_PROXY_ENDPOINT_ON_NODE,
        SWL_PROXY_ENDPOINT_LOCAL | SWL_PROXY_ENDPOINT_ON_NODE,
      ].randomElement(using: &random)
      return TestEndpoint(plan.crowd(number), Topology.port, flags: flags ?? SWL_PROXY_ENDPOINT_CLUSTER)
    }
  }
}
