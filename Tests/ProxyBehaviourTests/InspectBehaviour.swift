import PluginAPI
import PluginKit
import ProxyTesting
import Testing

/// What a backend tells of a service port.
struct InspectBehaviour {
  let backend: BackendUnderTest

  /// Nobody else's: what drains in IPVS counts on, and its counts are up to two seconds late.
  private static let slot = 4800

  private func key(_ name: String, _ plan: Plan) -> String { "default/\(name):http/\(plan.family)" }

  /// Open at the cluster address, guarded at the other.
  private func guarded(_ plan: Plan) -> TestService {
    var service = TestService(
      key("guarded", plan), family: plan.family,
      [
        .clusterIP(plan.cluster(Self.slot), 80),
        TestFrontend(SWL_PROXY_LOAD_BALANCER, plan.external(Self.slot), 80).flagged(SWL_PROXY_FRONTEND_SOURCE_RANGES),
      ], [plan.endpointA])
    service.sourceRanges = ["\(plan.podB)/\(plan.family == 4 ? 32 : 128)"]
    return service
  }

  private func empty(_ plan: Plan) -> TestService {
    TestService(key("empty", plan), family: plan.family, [.clusterIP(plan.cluster(Self.slot + 1), 80)], [])
  }

  func connectionsAndRefusalsAreCounted() throws {
    try Proxy.on(backend) { topology, proxy in
      try proxy.sync(.full(Plan.both.flatMap { [guarded($0), empty($0)] }))
      for plan in Plan.both {
        #expect(try counters(proxy, key("guarded", plan))?.connections ?? 0 == 0)
        for address in [plan.cluster(Self.slot), plan.external(Self.slot)] {
          #expect(try topology.knock(6, from: .podB, Sockets.tcp, address, 80).allSatisfy { $0.server == "A" })
        }
        let refused = try topology.knock(from: .outside, Sockets.tcp, plan.external(Self.slot), 80, patience: Knock.shortPatience)
        #expect(refused == .silent)
        #expect(try topology.knock(from: .outside, Sockets.tcp, plan.cluster(Self.slot + 1), 80) == .refused)
        // IPVS adds up what its processors counted each two seconds (ip_vs_est).
        _ = try Clock.wait(milliseconds: 30_000) { try counters(proxy, key("guarded", plan))?.connections == 12 }
        let served = try #require(try counters(proxy, key("guarded", plan)))
        #expect(served.connections == 12, "\(backend.rawValue), IPv\(plan.family)")
        // Each attempt sends its first packet again now and then.
        if let count = served.sourceRefused { #expect(count >= 1) }
        let unserved = try #require(try counters(proxy, key("empty", plan)))
        #expect(unserved.connections ?? 0 == 0)
        if let count = unserved.noEndpoint { #expect(count >= 1) }
      }
      // Who counts by rules of its own counts refusals too.
      if backend != .ipvs {
        let all = try counters(proxy, key("guarded", .four))
        #expect(all?.sourceRefused != nil && all?.noEndpoint != nil)
      }
    }
  }

  func aServicePortsRulesAreShownAndNoOthers() throws {
    try Proxy.on(backend) { topology, proxy in
      try proxy.sync(.full(Plan.both.map(guarded)))
      let inspectable = try inspectable(proxy)
      for plan in Plan.both {
        var lines: [String] = []
        try topology.node.run { try inspectable.explain(key("guarded", plan)) { lines.append($0) } }
        let text = lines.joined(separator: "\n")
        for address in [plan.cluster(Self.slot), plan.external(Self.slot), plan.podA] {
          #expect(text.contains(address), "\(backend.rawValue): \(text)")
        }
        let other = plan.family == 4 ? Plan.six : .four
        #expect(!text.contains(other.podA) && !text.contains(other.cluster(Self.slot)))
      }
      let fault = #expect(throws: BackendFault.self) { try topology.node.run { try inspectable.explain("default/none:http") { _ in } } }
      #expect(fault?.status == .notFound)
    }
  }

  private func inspectable(_ proxy: Proxy) throws -> any InspectableProxy {
    try #require(proxy.plugin as? any InspectableProxy, "\(backend.rawValue) tells nothing")
  }

  private func counters(_ proxy: Proxy, _ key: String) throws -> ProxyCounters? {
    let inspectable = try inspectable(proxy)
    var found: ProxyCounters?
    try proxy.node.run { try inspectable.counters(key) { found = $0 == key ? $1 : found } }
    return found
  }
}

extension InspectBehaviour {
  enum Claim: CaseIterable, Sendable {
    case connectionsAndRefusalsAreCounted
    case aServicePortsRulesAreShownAndNoOthers
  }

  func check(_ claim: Claim) throws {
    switch claim {
    case .connectionsAndRefusalsAreCounted: try connectionsAndRefusalsAreCounted()
    case .aServicePortsRulesAreShownAndNoOthers: try aServicePortsRulesAreShownAndNoOthers()
    }
  }
}
