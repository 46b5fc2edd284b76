import KubeModel
import ServiceProxy
import Testing

/// What a front end does with traffic, by the Service's policies and where its endpoints are.
struct TrafficPolicyTests {
  private typealias Frontend = ResolvedServicePort.Frontend

  private func frontends(
    _ slices: [EndpointSlice], _ change: (inout ServiceSpec) -> Void
  ) -> [Frontend.Kind: Frontend] {
    let resolution = resolver.resolve(
      service(ports: [ServicePort(port: 80, nodePort: 30080)], ingress: [LoadBalancerIngress(ip: ip("198.51.100.1"))]) {
        $0.type = .loadBalancer
        $0.externalIPs = [ip("192.0.2.7")]
        change(&$0)
      }, slices: slices)
    return Dictionary(uniqueKeysWithValues: resolution.ports[0].frontends.map { ($0.kind, $0) })
  }

  @Test func externalLocalKeepsTheClientsAddressAtEveryExternalFrontEnd() {
    let frontends = frontends([slice(endpoint("10.1.0.1"))]) { $0.externalTrafficPolicy = .local }
    for kind in [Frontend.Kind.nodePort, .externalIP, .loadBalancer] {
      #expect(frontends[kind]?.selection == .local)
      #expect(frontends[kind]?.masquerade == .hairpin)
      #expect(frontends[kind]?.whenEmpty == .drop)
    }
    #expect(frontends[.clusterIP]?.selection == .cluster)
    #expect(frontends[.clusterIP]?.whenEmpty == .refuse)
  }

  @Test func internalLocalConcernsOnlyTheClusterAddress() {
    let frontends = frontends([slice(endpoint("10.1.0.1"))]) { $0.internalTrafficPolicy = .local }
    #expect(frontends[.clusterIP]?.selection == .local)
    #expect(frontends[.clusterIP]?.whenEmpty == .drop)
    #expect(frontends[.clusterIP]?.masquerade == .fromOutside)
    for kind in [Frontend.Kind.nodePort, .externalIP, .loadBalancer] {
      #expect(frontends[kind]?.selection == .cluster)
      #expect(frontends[kind]?.whenEmpty == .refuse)
      #expect(frontends[kind]?.masquerade == .always)
    }
  }

  @Test func aLocalPolicyRefusesWhereNobodyAnywhereHasAnEndpoint() {
    for slices in [[], [slice(endpoint("10.1.0.1", .notReady), endpoint("10.1.0.2", .gone, on: here))]] {
      let frontends = frontends(slices) {
        $0.externalTrafficPolicy = .local
        $0.internalTrafficPolicy = .local
      }
      #expect(frontends.values.allSatisfy { $0.whenEmpty == .refuse && ($0.selection == .local) })
    }
  }

  @Test func aDrainingEndpointElsewhereStillMeansDropHere() {
    let frontends = frontends([slice(endpoint("10.1.0.1", .draining))]) { $0.externalTrafficPolicy = .local }
    #expect(frontends[.nodePort]?.whenEmpty == .drop)
  }

  @Test func partsThatAreNotDoneAreNamedAndNeverHalfDone() {
    let sticky = resolver.resolve(service { $0.sessionAffinity = .clientIP }, slices: [slice(endpoint("10.1.0.1"))])
    #expect(sticky.ports.isEmpty)
    #expect(sticky.issues.map(\.fieldPath) == ["spec.sessionAffinity"])

    let fenced = resolver.resolve(
      service(ports: [ServicePort(port: 80, nodePort: 30080)], ingress: [LoadBalancerIngress(ip: ip("198.51.100.1"))]) {
        $0.type = .loadBalancer
        $0.loadBalancerSourceRanges = [cidr("192.0.2.0/24")]
      }, slices: [])
    // Without the fence the balancer's address would be open to all; the other front ends have none upstream either.
    #expect(fenced.frontends == ["10.96.0.10:80", "node:30080"])
    #expect(fenced.issues.map(\.fieldPath) == ["spec.loadBalancerSourceRanges"])

    let near = resolver.resolve(
      service {
        $0.trafficDistribution = .preferClose
        $0.healthCheckNodePort = 32000
      }, slices: [slice(endpoint("10.1.0.1"))])
    #expect(near.cluster == ["10.1.0.1:8080"])
    #expect(near.issues.map(\.fieldPath) == ["spec.trafficDistribution", "spec.healthCheckNodePort"])
    #expect(near.issues.allSatisfy { !$0.reason.isEmpty })
  }
}
