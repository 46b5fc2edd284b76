import Conntrack
import KubeModel
import ServiceProxy
import Testing

/// Changes that come faster than the table can be looked through.
@Suite struct StaleFlowsHistoryTests {
  private let plan = Plan.all[0]

  @Test func changesAddUpUntilTheyAreSettled() {
    var stale = StaleFlows([CommittedChange(plan.dns(plan.a), plan.dns(plan.b))])
    stale.note([CommittedChange(plan.dns(plan.b), plan.dns())])
    for pod in [plan.podA, plan.podB] { #expect(stale.reason(plan.flow(to: plan.service, at: pod), plan) == .endpointGone) }
    stale.settle(upTo: stale.version)
    #expect(stale.isEmpty)
    #expect(stale.reason(plan.flow(to: plan.service, at: plan.podA), plan) == nil)
  }

  @Test func anEndpointThatComesBackKeepsItsFlows() {
    var stale = StaleFlows([CommittedChange(plan.dns(plan.a), plan.dns(plan.b))])
    stale.note([CommittedChange(plan.dns(plan.b), plan.dns(plan.a, plan.b))])
    for pod in [plan.podA, plan.podB] { #expect(stale.reason(plan.flow(to: plan.service, at: pod), plan) == nil) }
  }

  /// While the table is looked through for an endpoint that went, flows to one that just came must not be taken for stale.
  @Test func anEndpointThatComesMeanwhileIsKnownThoughItRaisesNoSuspicion() {
    var stale = StaleFlows([CommittedChange(nil, plan.dns(plan.a))], isFullLoad: true)
    #expect(stale.reason(plan.flow(to: plan.service, at: plan.podB), plan) == .endpointGone)
    let looked = stale.version
    stale.note([CommittedChange(plan.dns(plan.a), plan.dns(plan.a, plan.b))])
    #expect(stale.reason(plan.flow(to: plan.service, at: plan.podB), plan) == nil)
    stale.settle(upTo: looked)
    #expect(stale.isEmpty)
  }

  @Test func whatIsRaisedDuringALookStaysForTheNext() {
    var stale = StaleFlows([CommittedChange(plan.dns(plan.a, plan.b), plan.dns(plan.b))])
    let looked = stale.version
    stale.note([CommittedChange(plan.dns(plan.b), plan.dns())])
    stale.settle(upTo: looked)
    #expect(stale.reason(plan.flow(to: plan.service, at: plan.podB), plan) == .endpointGone)
  }

  @Test func aServiceThatIsMadeAgainTakesOverTheSuspicionOfItsPredecessor() {
    var stale = StaleFlows([CommittedChange(plan.dns(plan.a), nil)])
    stale.note([CommittedChange(nil, plan.dns(plan.b))])
    #expect(stale.reason(plan.flow(to: plan.service, at: plan.podA), plan) == .endpointGone)
    #expect(stale.reason(plan.flow(to: plan.service, at: plan.podB), plan) == nil)
  }

  @Test func aFullLoadThatWasNotFollowedUpIsNotForgottenForAChange() {
    var stale = StaleFlows([CommittedChange(nil, plan.dns(plan.a))], isFullLoad: true)
    stale.note([CommittedChange(plan.dns(plan.a), plan.dns(plan.a, plan.b))])
    #expect(stale.isFull)
    #expect(stale.reason(plan.flow(to: plan.service, at: plan.elsewhere), plan) == .endpointGone)
  }

  @Test func oneServicePortIsAskedForByItsAddressAndSeveralByWhatTheyShare() {
    let four = Plan.all[0]
    let six = Plan.all[1]
    var single = four.dns(four.a)
    single.frontends = [single.frontends[0]]
    #expect(
      StaleFlows([CommittedChange(single, nil)]).scopes
        == [FlowScope(family: .v4, ipProtocol: .udp, address: four.service, port: Plan.port)])
    #expect(StaleFlows([CommittedChange(four.dns(four.a), nil)]).scopes == [FlowScope(family: .v4, ipProtocol: .udp)])
    let both = [CommittedChange(four.dns(four.a), nil), CommittedChange(six.dns(six.a), nil)]
    #expect(StaleFlows(both).scopes == [FlowScope(family: .v4, ipProtocol: .udp), FlowScope(family: .v6, ipProtocol: .udp)])
    let mixed = [CommittedChange(single, nil), CommittedChange(four.dns(four.a, ipProtocol: .sctp), nil)]
    #expect(StaleFlows(mixed).scopes == [FlowScope(family: .v4)])
  }

  /// A random history judged flow by flow against what is true in the end.
  @Test(arguments: 0..<20) func aRandomHistoryFindsTheFlowsOfAllWhoWent(_ seed: UInt64) {
    var state = seed &* 0x9e37_79b9_7f4a_7c15 &+ 1
    func random(_ bound: UInt64) -> UInt64 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return (state >> 33) % bound
    }
    let pods = (1...6).map { ResolvedServicePort.Endpoint(address: IPAddress(v4: 0x0a01_0000 + UInt32($0)), port: Plan.target) }
    var stale = StaleFlows()
    var current: ResolvedServicePort?
    var ever: Set<IPAddress> = []
    for _ in 0..<30 {
      var next: ResolvedServicePort? = plan.dns()
      next?.endpoints = pods.filter { _ in random(2) == 0 }
      if random(5) == 0 { next = nil }
      ever.formUnion(current?.endpoints.map(\.address) ?? [])
      stale.note([CommittedChange(current, next)])
      current = next
    }
    let alive = Set(current?.endpoints.map(\.address) ?? [])
    for pod in pods.map(\.address) {
      for way in plan.ways {
        let isStale = stale.reason(plan.flow(to: way.address, way.port, at: pod), plan) != nil
        #expect(isStale == (ever.contains(pod) && !alive.contains(pod)))
      }
    }
  }
}
