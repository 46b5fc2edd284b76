import Conntrack
import KubeModel
import ServiceProxy
import Testing

@Suite struct StaleFlowsTests {
  @Test(arguments: Plan.all, [IPProtocol.udp, .sctp])
  func flowsToAnEndpointThatWentAreStaleAndOthersAreNot(_ plan: Plan, _ ipProtocol: IPProtocol) {
    let stale = StaleFlows([CommittedChange(plan.dns(plan.a, plan.b, ipProtocol: ipProtocol), plan.dns(plan.b, ipProtocol: ipProtocol))])
    for way in plan.ways {
      #expect(stale.reason(plan.flow(to: way.address, way.port, at: plan.podA, ipProtocol: ipProtocol), plan) == .endpointGone)
      #expect(stale.reason(plan.flow(to: way.address, way.port, at: plan.podB, ipProtocol: ipProtocol), plan) == nil)
    }
  }

  /// k/k#139628: a client that only sends was left in a black hole for 13 hours.
  @Test(arguments: Plan.all)
  func flowsOfAServiceThatLostItsLastEndpointAreStale(_ plan: Plan) {
    let stale = StaleFlows([CommittedChange(plan.dns(plan.a), plan.dns())])
    for way in plan.ways { #expect(stale.reason(plan.flow(to: way.address, way.port, at: plan.podA), plan) == .endpointGone) }
  }

  /// k/k#141371.
  @Test(arguments: Plan.all)
  func flowsOfADeletedServiceAreStale(_ plan: Plan) {
    let stale = StaleFlows([CommittedChange(plan.dns(plan.a), nil)])
    for way in plan.ways {
      #expect(stale.reason(plan.flow(to: way.address, way.port, at: plan.podA), plan) == .serviceGone)
      #expect(stale.reason(plan.untranslated(to: way.address, way.port), plan) == nil)
    }
  }

  @Test(arguments: Plan.all)
  func flowsOfAFrontEndThatWentAreStaleAndThoseOfTheOthersStay(_ plan: Plan) {
    var less = plan.dns(plan.a)
    less.frontends.removeAll { $0.kind == .externalIP }
    let stale = StaleFlows([CommittedChange(plan.dns(plan.a), less)])
    #expect(stale.reason(plan.flow(to: plan.external, at: plan.podA), plan) == .serviceGone)
    #expect(stale.reason(plan.flow(to: plan.service, at: plan.podA), plan) == nil)
    #expect(stale.reason(plan.flow(to: plan.node, Plan.nodePort, at: plan.podA), plan) == nil)
  }

  @Test(arguments: Plan.all)
  func untranslatedFlowsAreStaleOnceThereIsAnEndpoint(_ plan: Plan) {
    let changes = [(plan.dns(), plan.dns(plan.a)), (nil, plan.dns(plan.a))]
    for (previous, current) in changes {
      let stale = StaleFlows([CommittedChange(previous, current)])
      for way in plan.ways { #expect(stale.reason(plan.untranslated(to: way.address, way.port), plan) == .untranslated) }
    }
  }

  /// They would come back at once; the rule refuses or drops them.
  @Test(arguments: Plan.all)
  func untranslatedFlowsStayWhileThereIsNoEndpoint(_ plan: Plan) {
    for isFullLoad in [false, true] {
      let stale = StaleFlows([CommittedChange(nil, plan.dns())], isFullLoad: isFullLoad)
      for way in plan.ways { #expect(stale.reason(plan.untranslated(to: way.address, way.port), plan) == nil) }
    }
  }

  /// k/k#126934: the cluster has endpoints, this node gets its first.
  @Test(arguments: Plan.all)
  func aFrontEndOfLocalEndpointsIsServedByThoseOnly(_ plan: Plan) {
    let remote = plan.dns(plan.b, selection: .local)
    let local = plan.dns(plan.a, plan.b, selection: .local)
    #expect(StaleFlows([CommittedChange(nil, remote)]).reason(plan.untranslated(to: plan.service), plan) == nil)
    #expect(StaleFlows([CommittedChange(remote, local)]).reason(plan.untranslated(to: plan.service), plan) == .untranslated)
    var near = remote
    near.frontends[0].servesNear = true
    #expect(StaleFlows([CommittedChange(nil, near)]).reason(plan.untranslated(to: plan.service), plan) == .untranslated)
  }

  /// An endpoint that answers at no front end any more, as one that terminates beside ready ones, finishes what it has.
  @Test(arguments: Plan.all)
  func anEndpointThatStillServesKeepsItsFlows(_ plan: Plan) {
    var draining = plan.a
    (draining.servesCluster, draining.servesLocal) = (false, false)
    let stale = StaleFlows([CommittedChange(plan.dns(plan.a), plan.dns(draining, plan.b))])
    #expect(stale.isEmpty)
    let full = StaleFlows([CommittedChange(nil, plan.dns(draining, plan.b))], isFullLoad: true)
    #expect(full.reason(plan.flow(to: plan.service, at: plan.podA), plan) == nil)
    // And when it is done at last, they go.
    let done = StaleFlows([CommittedChange(plan.dns(draining, plan.b), plan.dns(plan.b))])
    #expect(done.reason(plan.flow(to: plan.service, at: plan.podA), plan) == .endpointGone)
  }

  @Test(arguments: Plan.all)
  func aChangeThatEndsNoFlowIsNotLookedFor(_ plan: Plan) {
    var other = plan.dns(plan.a)
    other.affinitySeconds = 60
    #expect(StaleFlows([CommittedChange(plan.dns(plan.a), plan.dns(plan.a, plan.b))]).isEmpty)
    #expect(StaleFlows([CommittedChange(plan.dns(plan.a), other)]).isEmpty)
    #expect(StaleFlows([CommittedChange(nil, plan.dns())]).isEmpty)
    #expect(StaleFlows([]).isEmpty)
    #expect(StaleFlows([], isFullLoad: true).isEmpty)
  }

  @Test(arguments: Plan.all)
  func connectionsOfTCPAreLeftAlone(_ plan: Plan) {
    let tcp = plan.dns(plan.a, ipProtocol: .tcp)
    for changes in [[CommittedChange(tcp, plan.dns(ipProtocol: .tcp))], [CommittedChange(tcp, nil)]] {
      #expect(StaleFlows(changes).isEmpty)
      #expect(StaleFlows(changes, isFullLoad: true).isEmpty)
    }
    let stale = StaleFlows([CommittedChange(plan.dns(plan.a), nil)])
    #expect(stale.reason(plan.flow(to: plan.service, at: plan.podA, ipProtocol: .tcp), plan) == nil)
  }

  @Test(arguments: Plan.all)
  func foreignFlowsAreNeverStale(_ plan: Plan) {
    for stale in [StaleFlows([CommittedChange(plan.dns(plan.a), nil)]), StaleFlows([CommittedChange(plan.dns(plan.a), plan.dns(plan.b))])] {
      // To the endpoint itself, to another port of the address, to the node port of another host, and through others' rules.
      #expect(stale.reason(plan.untranslated(to: plan.podA, Plan.target), plan) == nil)
      #expect(stale.reason(plan.flow(to: plan.service, 54, at: plan.podA), plan) == nil)
      #expect(stale.reason(plan.untranslated(to: plan.elsewhere, Plan.nodePort), plan) == nil)
      #expect(stale.reason(plan.flow(to: plan.elsewhere, Plan.nodePort, at: plan.podA), plan) == nil)
      #expect(stale.reason(plan.flow(to: plan.service, at: plan.elsewhere), plan) == nil)
    }
  }

  /// Same address, other port: the pod was replaced by one that listens elsewhere.
  @Test(arguments: Plan.all)
  func anotherTargetPortIsAnotherEndpoint(_ plan: Plan) {
    var moved = plan.a
    moved.port = 9053
    let stale = StaleFlows([CommittedChange(plan.dns(plan.a), plan.dns(moved))])
    #expect(stale.reason(plan.flow(to: plan.service, at: plan.podA), plan) == .endpointGone)
    #expect(stale.reason(plan.flow(to: plan.service, at: plan.podA, 9053), plan) == nil)
  }

  /// An endpoint in the node's network may listen on the very port of the front end: its flows look untranslated.
  @Test(arguments: Plan.all)
  func aFlowThatNeedsNoTranslationIsNotStale(_ plan: Plan) {
    let endpoint = ResolvedServicePort.Endpoint(address: plan.node, port: Plan.nodePort)
    let stale = StaleFlows([CommittedChange(nil, plan.dns(endpoint))], isFullLoad: true)
    #expect(stale.reason(plan.untranslated(to: plan.node, Plan.nodePort), plan) == nil)
  }

  @Test(arguments: Plan.all)
  func afterARestartFlowsToAnythingButAnEndpointAreStale(_ plan: Plan) {
    let stale = StaleFlows([CommittedChange(nil, plan.dns(plan.a))], isFullLoad: true)
    for way in plan.ways {
      #expect(stale.reason(plan.flow(to: way.address, way.port, at: plan.podA), plan) == nil)
      #expect(stale.reason(plan.flow(to: way.address, way.port, at: plan.podB), plan) == .endpointGone)
      #expect(stale.reason(plan.untranslated(to: way.address, way.port), plan) == .untranslated)
    }
    #expect(stale.reason(plan.untranslated(to: plan.elsewhere, Plan.nodePort), plan) == nil)
  }

  @Test(arguments: Plan.all)
  func aFrontEndThatMovesToAnotherServiceIsJudgedByItsNewHolder(_ plan: Plan) {
    let (old, new) = (plan.dns(plan.a), plan.dns(plan.b, key: "kube-system/new:dns"))
    for changes in [[CommittedChange(old, nil), CommittedChange(nil, new)], [CommittedChange(nil, new), CommittedChange(old, nil)]] {
      let stale = StaleFlows(changes)
      #expect(stale.reason(plan.flow(to: plan.service, at: plan.podA), plan) == .endpointGone)
      #expect(stale.reason(plan.flow(to: plan.service, at: plan.podB), plan) == nil)
    }
  }

  @Test func anAddressOfItsOwnComesBeforeANodePort() {
    let plan = Plan.all[0]
    // The node's address is an external one of a Service whose port is the other's node port.
    var external = plan.dns(plan.b, key: "default/own:dns")
    external.frontends = [.init(kind: .externalIP, address: plan.node, port: Plan.nodePort)]
    let stale = StaleFlows([CommittedChange(nil, plan.dns(plan.a)), CommittedChange(nil, external)], isFullLoad: true)
    #expect(stale.reason(plan.flow(to: plan.node, Plan.nodePort, at: plan.podB), plan) == nil)
    #expect(stale.reason(plan.flow(to: plan.node, Plan.nodePort, at: plan.podA), plan) == .endpointGone)
  }
}
