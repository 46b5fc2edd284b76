import KubeModel
import ServiceProxy
import Testing

/// Slices made from the pods of this node.
struct EndpointSliceBuilderTests {
  private let builder = EndpointSliceBuilder(nodeName: here)

  private func pod(
    _ uid: String, _ addresses: [String], labels: [String: String] = ["app": "web"], namespace: String = "default", isReady: Bool = true,
    isTerminating: Bool = false, ports: [LocalPod.Port] = []
  ) -> LocalPod {
    LocalPod(
      namespace: namespace, name: "pod-\(uid)", uid: uid, labels: labels, addresses: addresses.map(ip), isReady: isReady,
      isTerminating: isTerminating, ports: ports)
  }

  private func web(_ ports: [ServicePort] = [ServicePort(port: 80, targetPort: .int(8080))], publishNotReady: Bool = false) -> Service {
    service(ports: ports) {
      $0.selector = ["app": "web"]
      $0.publishNotReadyAddresses = publishNotReady
    }
  }

  @Test func selectedPodsOfTheNamespaceAreEndpointsOfThisNode() throws {
    let slices = builder.slices(
      for: web(),
      pods: [
        pod("2", ["10.1.0.2"]), pod("1", ["10.1.0.1"], labels: ["app": "web", "tier": "front"]),
        pod("3", ["10.1.0.3"], labels: ["app": "db"]),
        pod("4", ["10.1.0.4"], labels: [:]), pod("5", ["10.1.0.5"], namespace: "other"), pod("6", []),
      ])
    let slice = try #require(slices.first)
    #expect(slices.count == 1)
    #expect(slice.serviceName == "web" && slice.metadata.namespace == "default" && slice.addressType == .ipv4)
    #expect(slice.metadata.labels["endpointslice.kubernetes.io/managed-by"] == "swiftlet")
    #expect(slice.endpoints.map(\.addresses) == [[ip("10.1.0.1")], [ip("10.1.0.2")]])
    #expect(slice.endpoints.allSatisfy { $0.nodeName == here && $0.targetRef?.kind == "Pod" })
    #expect(slice.endpoints.map { $0.targetRef?.uid } == ["1", "2"])
    #expect(slice.ports == [EndpointPort(port: 8080)])
  }

  @Test func aServiceWithoutASelectorGetsNone() {
    #expect(builder.slices(for: service(), pods: [pod("1", ["10.1.0.1"])]).isEmpty)
    let named = service("web", []) {
      $0.type = .externalName
      $0.selector = ["app": "web"]
    }
    #expect(builder.slices(for: named, pods: [pod("1", ["10.1.0.1"])]).isEmpty)
  }

  @Test(arguments: [
    (true, false, false, EndpointConditions(ready: true, serving: true, terminating: false)),
    (false, false, false, EndpointConditions(ready: false, serving: false, terminating: false)),
    (true, true, false, EndpointConditions(ready: false, serving: true, terminating: true)),
    (false, true, false, EndpointConditions(ready: false, serving: false, terminating: true)),
    (false, false, true, EndpointConditions(ready: true, serving: false, terminating: false)),
    (true, true, true, EndpointConditions(ready: true, serving: true, terminating: true)),
  ])
  func conditionsAreThoseOfTheEndpointSliceController(
    isReady: Bool, isTerminating: Bool, publishNotReady: Bool, expected: EndpointConditions
  ) {
    let slices = builder.slices(
      for: web(publishNotReady: publishNotReady), pods: [pod("1", ["10.1.0.1"], isReady: isReady, isTerminating: isTerminating)])
    #expect(slices.flatMap(\.endpoints).map(\.conditions) == [expected])
  }

  @Test func podsOfBothFamiliesAreInOneSliceOfEach() {
    let pods = [pod("1", ["10.1.0.1", "fd01::1"]), pod("2", ["fd01::2"])]
    var dual = web()
    dual.spec.clusterIPs.append(ip("fd00::10"))
    let slices = builder.slices(for: dual, pods: pods)
    #expect(slices.map(\.metadata.name) == ["web-ipv4.8080", "web-ipv6.8080"])
    #expect(slices.map(\.addressType) == [.ipv4, .ipv6])
    #expect(slices.map { $0.endpoints.count } == [1, 2])
  }

  @Test func onlyTheFamiliesOfTheServiceHaveSlices() {
    let pods = [pod("1", ["10.1.0.1", "fd01::1"])]
    func families(_ change: (inout ServiceSpec) -> Void) -> [AddressType] {
      var service = web()
      change(&service.spec)
      return builder.slices(for: service, pods: pods).map(\.addressType)
    }
    #expect(families { _ in } == [.ipv4])
    #expect(families { $0.clusterIPs = [ip("fd00::10")] } == [.ipv6])
    #expect(families { $0.clusterIPs.append(ip("fd00::10")) } == [.ipv4, .ipv6])
    #expect(
      families {
        $0.clusterIPs = []
        $0.isHeadless = true
        $0.ipFamilies = [.v6]
      } == [.ipv6])
    #expect(
      families {
        $0.clusterIPs = []
        $0.isHeadless = true
      } == [.ipv4, .ipv6])
  }

  @Test func readyPodsAreMeantForWhereTheyAreWhenTheServiceAsksForNearOnes() {
    let zoned = EndpointSliceBuilder(nodeName: here, zone: "west")
    func hints(_ wish: TrafficDistribution?, _ builder: EndpointSliceBuilder, isReady: Bool = true) -> [EndpointHints] {
      var service = web()
      service.spec.trafficDistribution = wish
      let endpoints = builder.slices(for: service, pods: [pod("1", ["10.1.0.1"], isReady: isReady)]).flatMap(\.endpoints)
      #expect(endpoints.map(\.zone) == [builder.zone])
      return endpoints.map(\.hints)
    }
    #expect(hints(nil, zoned) == [EndpointHints()])
    #expect(hints(.preferClose, zoned) == [EndpointHints(forZones: ["west"])])
    #expect(hints(.preferSameNode, zoned) == [EndpointHints(forZones: ["west"], forNodes: [here])])
    #expect(hints(.preferSameNode, builder) == [EndpointHints(forNodes: [here])])
    #expect(hints(.preferSameZone, zoned, isReady: false) == [EndpointHints()])
  }

  @Test func aNamedPortMayBeAnotherNumberInEachPod() {
    let ports = [ServicePort(name: "http", port: 80, targetPort: .string("web")), ServicePort(name: "metrics", port: 9100)]
    let slices = builder.slices(
      for: web(ports),
      pods: [
        pod("1", ["10.1.0.1"], ports: [.init(name: "web", number: 8080, ipProtocol: .tcp)]),
        pod("2", ["10.1.0.2"], ports: [.init(name: "web", number: 8081, ipProtocol: .tcp)]),
        pod("3", ["10.1.0.3"], ports: [.init(name: "web", number: 8080, ipProtocol: .tcp)]),
        // The name with another protocol is another port, so this pod only serves the metrics.
        pod("4", ["10.1.0.4"], ports: [.init(name: "web", number: 8080, ipProtocol: .udp)]),
      ])
    #expect(
      slices.map(\.metadata.name) == ["web-ipv4.http-8080.metrics-9100", "web-ipv4.http-8081.metrics-9100", "web-ipv4.metrics-9100"])
    #expect(
      slices.map { $0.endpoints.map(\.addresses) } == [[[ip("10.1.0.1")], [ip("10.1.0.3")]], [[ip("10.1.0.2")]], [[ip("10.1.0.4")]]])
  }

  @Test func slicesOfPodsThatLackDifferentPortsHaveDifferentNames() {
    let ports = [ServicePort(name: "a", port: 1, targetPort: .string("a")), ServicePort(name: "b", port: 2, targetPort: .string("b"))]
    let slices = builder.slices(
      for: web(ports),
      pods: [
        pod("1", ["10.1.0.1"], ports: [.init(name: "a", number: 80, ipProtocol: .tcp)]),
        pod("2", ["10.1.0.2"], ports: [.init(name: "b", number: 80, ipProtocol: .tcp)]), pod("3", ["10.1.0.3"]),
      ])
    #expect(slices.map(\.metadata.name) == ["web-ipv4.a-80", "web-ipv4.b-80"])
  }

  @Test func theResolverUsesWhatTheBuilderMakes() {
    var service = web([ServicePort(name: "http", port: 80, targetPort: .string("web"))])
    service.spec.externalIPs = [ip("192.0.2.7")]
    service.spec.externalTrafficPolicy = .local
    let pods = [
      pod("1", ["10.1.0.1"], ports: [.init(name: "web", number: 8080, ipProtocol: .tcp)]),
      pod("2", ["10.1.0.2"], isReady: false, ports: [.init(name: "web", number: 8081, ipProtocol: .tcp)]),
      pod("3", ["10.1.0.3"], isTerminating: true, ports: [.init(name: "web", number: 8082, ipProtocol: .tcp)]),
    ]
    let all = resolver.resolve(service, slices: builder.slices(for: service, pods: pods))
    #expect(all.cluster == ["10.1.0.1:8080"])
    let draining = resolver.resolve(service, slices: builder.slices(for: service, pods: pods.dropFirst()))
    #expect(draining.cluster == ["10.1.0.3:8082"])
    #expect(draining.local == ["10.1.0.3:8082"])
  }
}
