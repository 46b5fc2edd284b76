import KubeModel
import ServiceProxy
import Testing

/// What a front end does with traffic, by the Service's policies and where its endpoints are.
struct TrafficPolicyTests {
  private typealias Frontend = ResolvedServicePort.Frontend

  private let external = [Frontend.Kind.nodePort, .externalIP, .loadBalancer]

  private func frontends(
    _ places: Places, _ endpoints: [Endpoint], masqueradeAll: Bool = false, _ change: (inout ServiceSpec) -> Void = { _ in }
  ) -> [Frontend.Kind: Frontend] {
    let slice = slice("web-1", of: "web", family: places.type, endpoints: endpoints)
    let resolution = places.onNode { $0.masqueradeAll = masqueradeAll }.resolve(places.everyKind(change), slices: [slice])
    return Dictionary(uniqueKeysWithValues: resolution.ports[0].frontends.map { ($0.kind, $0) })
  }

  @Test(arguments: Places.both)
  func clusterPoliciesMasqueradeOutsidersInsideAndEverybodyOutside(_ places: Places) {
    let frontends = frontends(places, [endpoint(places.pod(1))])
    #expect(frontends[.clusterIP]?.masquerade == .fromOutside)
    for kind in external { #expect(frontends[kind]?.masquerade == .always) }
    for frontend in frontends.values {
      #expect(frontend.selection == .cluster && frontend.whenEmpty == .refuse && !frontend.servesNear && !frontend.checksSource)
    }
  }

  @Test(arguments: Places.both)
  func masqueradeAllHidesEveryClientOfAClusterAddress(_ places: Places) {
    let frontends = frontends(places, [endpoint(places.pod(1))], masqueradeAll: true) { $0.externalTrafficPolicy = .local }
    #expect(frontends[.clusterIP]?.masquerade == .always)
    // The external front ends follow their policy, as upstream.
    for kind in external { #expect(frontends[kind]?.masquerade == .hairpin) }
  }

  @Test(arguments: Places.both)
  func externalLocalKeepsTheClientsAddressAndServesWhoIsNearFromTheCluster(_ places: Places) {
    let frontends = frontends(places, [endpoint(places.pod(1))]) { $0.externalTrafficPolicy = .local }
    for kind in external {
      #expect(frontends[kind]?.selection == .local)
      #expect(frontends[kind]?.masquerade == .hairpin)
      #expect(frontends[kind]?.whenEmpty == .drop)
      #expect(frontends[kind]?.servesNear == true)
    }
    #expect(frontends[.clusterIP]?.selection == .cluster)
    #expect(frontends[.clusterIP]?.whenEmpty == .refuse)
    #expect(frontends[.clusterIP]?.servesNear == false)
  }

  @Test(arguments: Places.both)
  func internalLocalConcernsOnlyTheClusterAddress(_ places: Places) {
    let frontends = frontends(places, [endpoint(places.pod(1))]) { $0.internalTrafficPolicy = .local }
    #expect(frontends[.clusterIP]?.selection == .local)
    #expect(frontends[.clusterIP]?.whenEmpty == .drop)
    #expect(frontends[.clusterIP]?.masquerade == .fromOutside)
    // No short-cut: whoever connects inside of the node is to stay on it.
    #expect(frontends[.clusterIP]?.servesNear == false)
    for kind in external {
      #expect(frontends[kind]?.selection == .cluster)
      #expect(frontends[kind]?.whenEmpty == .refuse)
      #expect(frontends[kind]?.masquerade == .always)
      #expect(frontends[kind]?.servesNear == false)
    }
  }

  @Test(arguments: Places.both)
  func aLocalPolicyRefusesWhereNobodyAnywhereHasAnEndpoint(_ places: Places) {
    for endpoints in [[], [endpoint(places.pod(1), .notReady), endpoint(places.pod(2), .gone, on: here)]] {
      let frontends = frontends(places, endpoints) {
        $0.externalTrafficPolicy = .local
        $0.internalTrafficPolicy = .local
      }
      #expect(frontends.values.allSatisfy { $0.whenEmpty == .refuse && ($0.selection == .local) })
    }
  }

  @Test(arguments: Places.both)
  func aDrainingEndpointElsewhereStillMeansDropHere(_ places: Places) {
    let frontends = frontends(places, [endpoint(places.pod(1), .draining)]) { $0.externalTrafficPolicy = .local }
    #expect(frontends[.nodePort]?.whenEmpty == .drop)
  }

  @Test func anExternalPolicyOfAServiceNobodyReachesFromOutsideDoesNotCount() {
    // An address a balancer left in the status of a Service that is a plain ClusterIP by now.
    let left = service(ingress: [LoadBalancerIngress(ip: ip("198.51.100.1"))]) { $0.externalTrafficPolicy = .local }
    let resolution = resolver.resolve(left, slices: [slice(endpoint("10.1.0.1"))])
    #expect(resolution.ports[0].frontends.map(\.selection) == [.cluster, .cluster])
    #expect(resolution.ports[0].frontends.map(\.masquerade) == [.fromOutside, .always])
  }

  @Test(arguments: Places.both)
  func affinityLastsAsLongAsTheServiceSays(_ places: Places) {
    let slices = [places.slice(endpoint(places.pod(1)))]
    func seconds(_ change: (inout ServiceSpec) -> Void) -> [UInt32] {
      let resolution = places.onNode().resolve(places.everyKind(change), slices: slices)
      #expect(resolution.issues.isEmpty)
      return resolution.ports.map(\.affinitySeconds)
    }
    #expect(seconds { _ in } == [0])
    #expect(seconds { $0.sessionAffinity = .clientIP } == [10800])
    #expect(
      seconds {
        $0.sessionAffinity = .clientIP
        $0.sessionAffinityTimeoutSeconds = 86400
      } == [86400])
    // The timeout means nothing without the affinity.
    #expect(seconds { $0.sessionAffinityTimeoutSeconds = 5 } == [0])
  }

  @Test(arguments: Places.both)
  func aBalancerServiceWithoutNodePortsHasNone(_ places: Places) {
    let lean = service("web", [places.cluster], ingress: [LoadBalancerIngress(ip: ip(places.balancer))]) {
      $0.type = .loadBalancer
      $0.allocateLoadBalancerNodePorts = false
    }
    #expect(resolver.resolve(lean, slices: []).ports.flatMap(\.frontends).map(\.kind) == [.clusterIP, .loadBalancer])
    // One that is stated is served all the same.
    var stated = lean
    stated.spec.ports[0].nodePort = 30080
    #expect(resolver.resolve(stated, slices: []).ports.flatMap(\.frontends).map(\.kind) == [.clusterIP, .loadBalancer, .nodePort])
  }
}
