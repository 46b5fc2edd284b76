import KubeModel
import ServiceProxy
import Testing

/// Hints of the slices: when they narrow the cluster's endpoints, when they are ignored, and that this is said.
@Suite struct TopologyTests {
  private func explain(
    _ places: Places, zone: String? = "west", _ endpoints: [Endpoint], _ change: (inout ServiceSpec) -> Void = { _ in }
  ) throws -> (used: [Int], topology: [String]) {
    let resolver = places.onNode { $0.zone = zone }
    let service = places.everyKind(change)
    let slices = [slice("web-1", of: "web", family: places.type, endpoints: endpoints)]
    let explained = try #require(resolver.explain(service, slices: slices).first)
    let resolved = resolver.resolve(service, slices: slices).ports[0]
    #expect(resolved.endpoints.filter(\.servesCluster).map(\.address) == explained.endpoints.filter(\.servesCluster).map(\.address))
    let used = (1...9).filter { number in resolved.endpoints.contains { $0.servesCluster && $0.address == ip(places.pod(number)) } }
    return (used, explained.topology)
  }

  @Test(arguments: Places.both)
  func onlyEndpointsForThisZoneServeTheCluster(_ places: Places) throws {
    let found = try explain(
      places,
      [
        endpoint(places.pod(1), zones: ["west"]), endpoint(places.pod(2), zones: ["east"]),
        endpoint(places.pod(3), zones: ["east", "west"]),
      ])
    #expect(found.used == [1, 3])
    #expect(found.topology == ["hints for a zone: only endpoints meant for zone west serve the cluster's front ends"])
  }

  @Test(arguments: Places.both)
  func theNodeComesBeforeTheZone(_ places: Places) throws {
    let endpoints = [
      endpoint(places.pod(1), zones: ["west"], nodes: [here]), endpoint(places.pod(2), zones: ["west"], nodes: [elsewhere]),
      endpoint(places.pod(3), zones: ["east"], nodes: [elsewhere]),
    ]
    let found = try explain(places, endpoints) { $0.trafficDistribution = .preferSameNode }
    #expect(found.used == [1])
    #expect(found.topology == ["hints for a node: only endpoints meant for node node-a serve the cluster's front ends"])
    // Nobody is meant for this node: its zone is the next best.
    let zoned = try explain(places, Array(endpoints.dropFirst()))
    #expect(zoned.used == [2])
    // And where nobody is meant for the zone either, everybody serves.
    let farther = try explain(places, [endpoints[2]])
    #expect(farther.used == [3])
    #expect(
      farther.topology == [
        "hints for a node are ignored: no ready endpoint is meant for node node-a",
        "hints for a zone are ignored: no ready endpoint is meant for zone west",
      ])
  }

  @Test(arguments: Places.both)
  func oneReadyEndpointWithoutAHintSwitchesHintsOff(_ places: Places) throws {
    let found = try explain(
      places, [endpoint(places.pod(1), zones: ["west"]), endpoint(places.pod(2)), endpoint(places.pod(3), zones: ["east"])])
    #expect(found.used == [1, 2, 3])
    let place = places.family == .v4 ? "10.1.0.2:8080" : "[fd01::2]:8080"
    #expect(found.topology == ["hints for a zone are ignored: the ready endpoint \(place) has none"])
  }

  @Test(arguments: Places.both)
  func endpointsThatAreNotReadyHaveNoSay(_ places: Places) throws {
    let found = try explain(
      places,
      [
        endpoint(places.pod(1), zones: ["west"]), endpoint(places.pod(2), .draining), endpoint(places.pod(3), .notReady),
        endpoint(places.pod(4), zones: ["east"]),
      ])
    #expect(found.used == [1])
    // A hint for this zone on an endpoint that is not ready does not count either.
    let none = try explain(places, [endpoint(places.pod(1), .notReady, zones: ["west"]), endpoint(places.pod(2), zones: ["east"])])
    #expect(none.used == [2])
  }

  @Test(arguments: Places.both)
  func aNodeWithoutAZoneIgnoresHintsForZones(_ places: Places) throws {
    let found = try explain(places, zone: nil, [endpoint(places.pod(1), zones: ["west"]), endpoint(places.pod(2), zones: ["east"])])
    #expect(found.used == [1, 2])
    #expect(found.topology == ["hints for a zone are ignored: this node's zone is not known"])
  }

  @Test(arguments: Places.both)
  func fallBacksToTerminatingEndpointsIgnoreHints(_ places: Places) throws {
    let found = try explain(
      places, [endpoint(places.pod(1), .draining, zones: ["east"]), endpoint(places.pod(2), .draining, zones: ["west"])])
    #expect(found.used == [1, 2])
    #expect(found.topology.isEmpty)
  }

  @Test(arguments: Places.both)
  func localFrontEndsKnowNoHints(_ places: Places) {
    let resolution = places.onNode { $0.zone = "west" }.resolve(
      places.everyKind { $0.externalTrafficPolicy = .local },
      slices: [places.slice(endpoint(places.pod(1), on: here, zones: ["east"]), endpoint(places.pod(2), zones: ["west"]))])
    let endpoints = resolution.ports[0].endpoints
    #expect(endpoints.filter(\.servesCluster).map(\.address) == [ip(places.pod(2))])
    #expect(endpoints.filter(\.servesLocal).map(\.address) == [ip(places.pod(1))])
  }

  @Test func aWishWithoutHintsIsToldAndNoIssue() throws {
    let found = try explain(Places.both[0], [endpoint("10.1.0.1")]) { $0.trafficDistribution = .preferSameZone }
    #expect(found.used == [1])
    #expect(found.topology == ["trafficDistribution PreferSameZone: the slices carry no hints"])
    #expect(try explain(Places.both[0], [endpoint("10.1.0.1")]).topology.isEmpty)
    let asked = service { $0.trafficDistribution = .preferSameZone }
    #expect(resolver.resolve(asked, slices: [slice(endpoint("10.1.0.1"))]).issues.isEmpty)
  }

  @Test func anEndpointInTwoSlicesHasTheHintsOfBoth() {
    let slices = [
      slice("a", endpoint("10.1.0.1", zones: ["west"]), endpoint("10.1.0.2", zones: ["east"])), slice("b", endpoint("10.1.0.1")),
    ]
    for order in [slices, slices.reversed()] {
      let west = ServiceResolver(node: NodeView(name: here, zone: "west"))
      #expect(west.resolve(service(), slices: order).cluster == ["10.1.0.1:8080"])
    }
  }
}
