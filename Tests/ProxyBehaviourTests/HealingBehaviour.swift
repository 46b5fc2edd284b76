import Glibc
import PluginAPI
import PluginKit
import ProxyTesting
import Testing

/// What somebody else breaks is noticed within a second and mended by a full load.
struct HealingBehaviour {
  let backend: BackendUnderTest

  static let slot = 4300
  private static let nodePort: UInt16 = 29_300

  private var services: [TestService] {
    Plan.both.map { plan in
      TestService(
        "default/web:http/\(plan.family)", family: plan.family,
        [.clusterIP(plan.cluster(Self.slot), 80), .nodePort(Self.nodePort).masquerading(SWL_PROXY_MASQUERADE_ALWAYS)],
        [plan.endpointA, plan.endpointB])
    }
  }

  func foreignDamageIsNoticedAndMended() throws {
    let topology = try Topology.shared
    for damage in Damage.all(backend) {
      do { try isNoticedAndMended(damage, topology) } catch { Issue.record("\(backend.rawValue), \(damage.name): \(error)") }
    }
  }

  private func isNoticedAndMended(_ damage: Damage, _ topology: Topology) throws {
    try Proxy.on(topology, backend, .serviceNetworks) { proxy in
      let watching = try #require(proxy.plugin as? any WatchingProxy, "\(backend.rawValue) does not watch")
      try proxy.sync(.full(services))
      expectNoDamage(try findings(watching, topology, thorough: true), damage.name)
      try trafficFlows(topology, damage.name)

      try damage.inflict(topology.node)
      let began = Clock.now()
      var looks = 0
      let isNoticed = try Clock.wait(milliseconds: isVirtualMachineRing ? 20_000 : 1000) {
        guard try isReadable(watching, topology) else { return false }
        looks += 1
        return try !findings(watching, topology, thorough: false).isEmpty
      }
      #expect(isNoticed, "\(backend.rawValue), \(damage.name): nothing after \((Clock.now() - began) / 1_000_000) ms")
      // An emulated machine may stand still for a second. What has no events is looked at each quarter of one, and once for those.
      if isVirtualMachineRing { #expect(looks <= 5, "\(backend.rawValue), \(damage.name)") }
      if !isNoticed {
        let thorough = try findings(watching, topology, thorough: true)
        #expect(!thorough.isEmpty, "\(backend.rawValue), \(damage.name): not found by a thorough look either")
      }
      try proxy.sync(.full(services))
      expectNoDamage(try findings(watching, topology, thorough: true), "\(damage.name), mended")
      try trafficFlows(topology, "\(damage.name), mended")
    }
  }

  func ownChangesAreNoDamage() throws {
    try Proxy.on(backend, .serviceNetworks) { topology, proxy in
      let watching = try #require(proxy.plugin as? any WatchingProxy, "\(backend.rawValue) does not watch")
      var story = ServiceStory(seed: 99)
      try proxy.sync(.full([]))
      for step in 0..<12 {
        try proxy.sync(story.next())
        if step % 4 == 3 { for batch in TestBatch.load(story.services, batches: 3) { try proxy.sync(batch) } }
        expectNoDamage(try findings(watching, topology, thorough: step % 3 == 2), "step \(step)")
      }
    }
  }

  /// Packets count and clients are remembered; neither is damage, nor are the rules of others.
  func trafficAndForeignRulesAreNoDamage() throws {
    try Proxy.on(backend) { topology, proxy in
      let watching = try #require(proxy.plugin as? any WatchingProxy, "\(backend.rawValue) does not watch")
      var sticky = services
      for index in sticky.indices { sticky[index].affinitySeconds = 600 }
      try proxy.sync(.full(sticky))
      try trafficFlows(topology, "with affinity")
      try Command.run(
        "nft", "-f", "-", in: topology.node, input: "table ip others { chain mine { type filter hook forward priority 5; accept; }; }\n")
      expectNoDamage(try findings(watching, topology, thorough: false), "others came")
      try Command.run("nft", "delete", "table", "ip", "others", in: topology.node)
      expectNoDamage(try findings(watching, topology, thorough: true), "others went")
    }
  }

  private func findings(_ watching: any WatchingProxy, _ topology: Topology, thorough: Bool) throws -> [String] {
    var found: [String] = []
    try topology.node.run { try watching.examine(thorough: thorough) { found.append($0) } }
    return found
  }

  private func isReadable(_ watching: any WatchingProxy, _ topology: Topology) throws -> Bool {
    let descriptor = try topology.node.run { watching.watchDescriptor }
    // No event: the host looks every now and then.
    if descriptor < 0 { return true }
    var poll = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return Glibc.poll(&poll, 1, 0) > 0
  }

  private func expectNoDamage(_ found: [String], _ when: String) {
    #expect(found.isEmpty, "\(backend.rawValue), \(when)")
  }

  private func trafficFlows(_ topology: Topology, _ when: String) throws {
    for plan in Plan.both {
      for (address, port) in [(plan.cluster(Self.slot), UInt16(80)), (plan.node, Self.nodePort)] {
        let knock = try topology.knock(from: .outside, Sockets.tcp, address, port)
        #expect(knock.server != nil, "\(backend.rawValue), \(when), IPv\(plan.family), \(address): \(knock)")
      }
    }
  }
}

extension HealingBehaviour {
  enum Claim: CaseIterable, Sendable {
    case foreignDamageIsNoticedAndMended
    case ownChangesAreNoDamage
    case trafficAndForeignRulesAreNoDamage
  }

  func check(_ claim: Claim) throws {
    switch claim {
    case .foreignDamageIsNoticedAndMended: try foreignDamageIsNoticedAndMended()
    case .ownChangesAreNoDamage: try ownChangesAreNoDamage()
    case .trafficAndForeignRulesAreNoDamage: try trafficAndForeignRulesAreNoDamage()
    }
  }
}
