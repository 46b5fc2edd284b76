import KubeModel
import ServiceProxy
import Testing

/// Why an endpoint is used or not, and what a client meets.
@Suite struct ExplanationTests {
  private func explain(
    _ places: Places, _ endpoints: [Endpoint], client: ServiceClient? = nil, node: NodeView? = nil,
    _ change: (inout ServiceSpec) -> Void = { _ in }
  ) throws -> ServicePortExplanation {
    let slices = [slice("web-1", of: "web", family: places.type, endpoints: endpoints)]
    return try #require(
      ServiceResolver(node: node ?? places.onNode().node).explain(places.everyKind(change), slices: slices, client: client).first)
  }

  @Test(arguments: Places.both)
  func everyEndpointIsThereWithItsReason(_ places: Places) throws {
    let explained = try explain(
      places,
      [
        endpoint(places.pod(1), on: here), endpoint(places.pod(2)), endpoint(places.pod(3), .notReady, on: here),
        endpoint(places.pod(4), .draining, on: here), endpoint(places.pod(5), .gone, on: here), endpoint(places.pod(6), on: nil),
      ])
    #expect(explained.key == "default/web:/TCP/\(places.family == .v4 ? 4 : 6)")
    #expect(explained.endpoints.map(\.address) == (1...6).map { ip(places.pod($0)) })
    #expect(
      explained.endpoints.map(\.reason) == [
        "cluster: used, it is ready; local: used, it is ready",
        "cluster: used, it is ready; local: not used, it runs on node node-b",
        "cluster: not used, it is not ready; local: not used, it is not ready",
        "cluster: not used, it terminates and others are ready; local: not used, it terminates and others here are ready",
        "cluster: not used, it terminates and no longer serves; local: not used, it terminates and no longer serves",
        "cluster: used, it is ready; local: not used, its node is not known",
      ])
    #expect(explained.endpoints.map(\.servesCluster) == [true, true, false, false, false, true])
    #expect(explained.endpoints.map(\.servesLocal) == [true, false, false, false, false, false])
  }

  @Test(arguments: Places.both)
  func fallBacksAndHintsAreNamed(_ places: Places) throws {
    let draining = try explain(places, [endpoint(places.pod(1), .draining, on: here)])
    #expect(
      draining.endpoints.map(\.reason) == [
        "cluster: used, since none is ready and this one still serves while it terminates; "
          + "local: used, since none here is ready and this one still serves while it terminates"
      ])
    let hinted = try explain(
      places, [endpoint(places.pod(1), zones: ["west"]), endpoint(places.pod(2), zones: ["east", "north"])],
      node: places.onNode { $0.zone = "west" }.node)
    #expect(
      hinted.endpoints.map { $0.reason.split(separator: ";")[0] } == [
        "cluster: used, it is ready and meant for this zone", "cluster: not used, it is meant for zone east, north",
      ])
  }

  @Test func whatTheSliceSaysOfAnEndpointIsThere() throws {
    let whole = Endpoint(
      addresses: [ip("10.1.0.1")], conditions: Condition.draining.conditions, nodeName: here, zone: "west",
      targetRef: ObjectReference(kind: "Pod", namespace: "default", name: "web-0", uid: "1"))
    let found = try #require(try explain(Places.both[0], [whole]).endpoints.first)
    #expect(found.pod == "default/web-0" && found.zone == "west" && found.nodeName == here && found.onNode && found.port == 8080)
    #expect(!found.isReady && found.isServing && found.isTerminating)
  }

  // MARK: Clients

  /// Which front ends a client was asked about: the kind, the verdict, the selection, whether masqueraded.
  private func outcomes(
    _ places: Places, from origin: ServiceClient.Origin, _ endpoints: [Endpoint], address: String? = nil,
    node: NodeView? = nil, _ change: (inout ServiceSpec) -> Void = { _ in }
  ) throws -> [ResolvedServicePort.Frontend.Kind: FrontendExplanation.Outcome] {
    let client = ServiceClient(address: ip(address ?? places.outside(1)), origin: origin)
    let explained = try explain(places, endpoints, client: client, node: node, change)
    return try Dictionary(uniqueKeysWithValues: explained.frontends.map { ($0.frontend.kind, try #require($0.outcome)) })
  }

  private let outside = [ResolvedServicePort.Frontend.Kind.nodePort, .externalIP, .loadBalancer]

  @Test(arguments: Places.both)
  func underClusterPoliciesPodsAreSeenInsideAndNobodyOutside(_ places: Places) throws {
    let endpoints = [endpoint(places.pod(1), on: here), endpoint(places.pod(2))]
    for (origin, isMasqueradedInside) in [(ServiceClient.Origin.pod, false), (.node, true), (.outside, true)] {
      let found = try outcomes(places, from: origin, endpoints)
      #expect(found[.clusterIP]?.isMasqueraded == isMasqueradedInside)
      for kind in outside { #expect(found[kind]?.isMasqueraded == true) }
      #expect(found.values.allSatisfy { $0.verdict == .served && $0.selection == .cluster && $0.endpoints.count == 2 })
    }
  }

  @Test(arguments: Places.both)
  func wherePodsCannotBeToldAClusterAddressHidesNobody(_ places: Places) throws {
    let endpoints = [endpoint(places.pod(1))]
    for origin in [ServiceClient.Origin.pod, .node, .outside] {
      let found = try outcomes(places, from: origin, endpoints, node: places.onNode { $0.podDetection = .none }.node)
      #expect(found[.clusterIP]?.isMasqueraded == false)
    }
    let hiding = places.onNode {
      $0.podDetection = .none
      $0.masqueradeAll = true
    }
    let all = try outcomes(places, from: .pod, endpoints, node: hiding.node)
    #expect(all[.clusterIP]?.isMasqueraded == true)
  }

  @Test(arguments: Places.both)
  func aLocalPolicyDropsOutsidersAndServesWhoIsNear(_ places: Places) throws {
    let endpoints = [endpoint(places.pod(1))]
    let outsider = try outcomes(places, from: .outside, endpoints) { $0.externalTrafficPolicy = .local }
    let pod = try outcomes(places, from: .pod, endpoints) { $0.externalTrafficPolicy = .local }
    let node = try outcomes(places, from: .node, endpoints) { $0.externalTrafficPolicy = .local }
    for kind in outside {
      #expect(outsider[kind]?.verdict == .dropped && outsider[kind]?.reason == "no endpoint on this node, but on others")
      #expect(pod[kind]?.verdict == .served && pod[kind]?.selection == .cluster && pod[kind]?.isMasqueraded == false)
      #expect(node[kind]?.verdict == .served && node[kind]?.selection == .cluster && node[kind]?.isMasqueraded == true)
    }
    // A pod that cannot be told to be one is an outsider.
    let untold = try outcomes(places, from: .pod, endpoints, node: places.onNode { $0.podDetection = .none }.node) {
      $0.externalTrafficPolicy = .local
    }
    #expect(untold[.nodePort]?.verdict == .dropped)
    #expect(outsider[.clusterIP]?.verdict == .served)
  }

  @Test(arguments: Places.both)
  func whereNobodyHasAnEndpointEverybodyIsRefused(_ places: Places) throws {
    for origin in [ServiceClient.Origin.pod, .node, .outside] {
      let found = try outcomes(places, from: origin, [endpoint(places.pod(1), .notReady, on: here)]) {
        $0.externalTrafficPolicy = .local
        $0.internalTrafficPolicy = .local
      }
      #expect(found.values.allSatisfy { $0.verdict == .refused && $0.reason == "no endpoint anywhere" })
    }
  }

  @Test(arguments: Places.both)
  func sourceRangesTurnStrangersAwayAtTheBalancerOnly(_ places: Places) throws {
    let endpoints = [endpoint(places.pod(1))]
    let stranger = try outcomes(places, from: .outside, endpoints) { $0.loadBalancerSourceRanges = [places.only(places.outside(9))] }
    #expect(stranger[.loadBalancer]?.verdict == .dropped && stranger[.loadBalancer]?.isOutsideSourceRanges == true)
    for kind in [ResolvedServicePort.Frontend.Kind.clusterIP, .nodePort, .externalIP] {
      #expect(stranger[kind]?.verdict == .served && stranger[kind]?.isOutsideSourceRanges == false)
    }
    let friend = try outcomes(places, from: .outside, endpoints) { $0.loadBalancerSourceRanges = [places.outsiders] }
    #expect(friend[.loadBalancer]?.verdict == .served)
    let own = try outcomes(places, from: .node, endpoints, address: places.balancer) {
      $0.loadBalancerSourceRanges = [places.only(places.node)]
    }
    #expect(own[.loadBalancer]?.verdict == .served)
  }

  @Test(arguments: Places.both)
  func aPodThatReachesItselfIsMasqueraded(_ places: Places) throws {
    let found = try outcomes(places, from: .pod, [endpoint(places.pod(1), on: here)], address: places.pod(1))
    #expect(found[.clusterIP]?.reason.hasSuffix("masqueraded where it reaches itself") == true)
    let other = try outcomes(places, from: .pod, [endpoint(places.pod(1), on: here)], address: places.pod(2))
    #expect(other[.clusterIP]?.reason.contains("itself") == false)
  }

  @Test(arguments: Places.both)
  func aClientOfTheOtherFamilyHasNothingToAsk(_ places: Places) throws {
    let client = ServiceClient(address: ip(places.other.outside(1)), origin: .outside)
    let explained = try explain(places, [endpoint(places.pod(1))], client: client)
    #expect(explained.frontends.count == 4 && explained.frontends.allSatisfy { $0.outcome == nil })
    #expect(try explain(places, []).frontends.allSatisfy { $0.outcome == nil })
  }

  @Test func whereAClientConnectsFromIsSeenByItsAddress() {
    func origin(_ address: String, _ detection: NodeView.PodDetection) -> ServiceClient.Origin {
      let node = NodeView(name: here, addresses: [ip("172.16.0.1")], podDetection: detection)
      return ServiceClient(address: ip(address), node: node, localPods: [ip("10.9.0.1")]).origin
    }
    let networks = NodeView.PodDetection.networks([cidr("10.1.0.0/16")])
    #expect(origin("172.16.0.1", networks) == .node && origin("127.0.0.1", .none) == .node && origin("::1", .none) == .node)
    #expect(origin("10.1.2.3", networks) == .pod && origin("10.9.0.1", networks) == .outside)
    #expect(origin("10.9.0.1", .interfaces) == .pod && origin("10.1.2.3", .interfaces) == .outside)
    #expect(origin("10.9.0.1", .none) == .outside)
  }

  @Test func aTableExplainsWhatItHolds() throws {
    var table = ServiceTable(resolver: Places.both[0].onNode())
    table.apply(.service(service()))
    table.apply(.slice(slice(endpoint("10.1.0.1"))))
    #expect(try #require(table.explain("default/web")).map(\.key) == ["default/web:/TCP/4"])
    #expect(table.explain("default/none") == nil)
    table.apply(.service(service("web", []) { $0.isHeadless = true }))
    #expect(table.explain("default/web") == [])
  }
}
