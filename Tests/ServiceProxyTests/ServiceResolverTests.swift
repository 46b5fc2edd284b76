import KubeModel
import ServiceProxy
import Testing

/// Which front ends a Service has and how they behave.
struct ServiceResolverTests {
  @Test func aClusterIPServiceHasOneFrontEndThatMasqueradesOnlyOutsiders() throws {
    let resolution = resolver.resolve(service(), slices: [slice(endpoint("10.1.0.1"))])
    let port = try #require(resolution.ports.first)
    #expect(resolution.ports.count == 1)
    #expect(port.key == "default/web:/TCP/4")
    #expect(port.family == .v4 && port.ipProtocol == .tcp && port.affinitySeconds == 0)
    #expect(port.frontends == [.init(kind: .clusterIP, address: ip("10.96.0.10"), port: 80, masquerade: .fromOutside)])
    #expect(port.endpoints == [.init(address: ip("10.1.0.1"), port: 8080)])
    #expect(resolution.issues.isEmpty)
  }

  @Test(arguments: IPProtocol.allCases, Places.both)
  func everyProtocolIsServed(_ word: IPProtocol, _ places: Places) throws {
    let ports = [EndpointPort(name: "p", protocol: word, port: 5353)]
    let resolution = resolver.resolve(
      service("web", [places.cluster], ports: [ServicePort(name: "p", protocol: word, port: 53)]),
      slices: [slice("web-1", of: "web", family: places.type, ports: ports, endpoint(places.pod(1)))])
    #expect(resolution.ports.map(\.key) == ["default/web:p/\(word)/\(places.family == .v4 ? 4 : 6)"])
    #expect(resolution.ports.map(\.ipProtocol) == [word])
    #expect(resolution.ports.flatMap(\.endpoints).map(\.port) == [5353])
  }

  @Test func aNodePortAnswersBesideTheClusterAddressAndHidesTheClient() throws {
    let resolution = resolver.resolve(service(ports: [ServicePort(port: 80, nodePort: 30080)]) { $0.type = .nodePort }, slices: [])
    #expect(resolution.frontends == ["10.96.0.10:80", "node:30080"])
    let nodePort = try #require(resolution.ports.first?.frontends.last)
    #expect(nodePort == .init(kind: .nodePort, address: nil, port: 30080, masquerade: .always))
  }

  @Test func externalAddressesAnswerOnTheServicePort() {
    let resolution = resolver.resolve(service { $0.externalIPs = [ip("192.0.2.7"), ip("192.0.2.8")] }, slices: [])
    #expect(resolution.frontends == ["10.96.0.10:80", "192.0.2.7:80", "192.0.2.8:80"])
    #expect(resolution.ports[0].frontends.dropFirst().allSatisfy { $0.kind == .externalIP && $0.masquerade == .always })
  }

  @Test func aLoadBalancerAddressIsProgrammedUnlessTheBalancerReplacesIt() {
    let ingress = [
      LoadBalancerIngress(ip: ip("198.51.100.1")), LoadBalancerIngress(ip: ip("198.51.100.2"), ipMode: .proxy),
      LoadBalancerIngress(hostname: "lb.example.org"),
    ]
    let resolution = resolver.resolve(service(ingress: ingress) { $0.type = .loadBalancer }, slices: [])
    #expect(resolution.frontends == ["10.96.0.10:80", "198.51.100.1:80"])
    #expect(resolution.ports[0].frontends[1].kind == .loadBalancer)
    #expect(resolution.issues.isEmpty)
  }

  @Test func anAddressGivenTwiceIsOneFrontEnd() {
    let resolution = resolver.resolve(
      service(ingress: [LoadBalancerIngress(ip: ip("192.0.2.7"))]) {
        $0.type = .loadBalancer
        $0.externalIPs = [ip("192.0.2.7"), ip("192.0.2.7"), ip("10.96.0.10")]
      }, slices: [])
    #expect(resolution.frontends == ["10.96.0.10:80", "192.0.2.7:80"])
  }

  @Test func aDualStackServiceIsOneServicePortForEachFamily() {
    let resolution = resolver.resolve(
      service("web", ["10.96.0.10", "fd00::10"], ports: [ServicePort(port: 80, nodePort: 30080)]) { $0.type = .nodePort },
      slices: [slice(endpoint("10.1.0.1")), slice("web-6", family: .ipv6, endpoint("fd01::1"))])
    #expect(resolution.ports.map(\.key) == ["default/web:/TCP/4", "default/web:/TCP/6"])
    #expect(resolution.frontends == ["10.96.0.10:80", "node:30080", "fd00::10:80", "node:30080"])
    #expect(resolution.cluster == ["10.1.0.1:8080", "fd01::1:8080"])
  }

  @Test func aSingleStackServiceOpensNothingInTheOtherFamily() {
    let resolution = resolver.resolve(
      service(ports: [ServicePort(port: 80, nodePort: 30080)], ingress: [LoadBalancerIngress(ip: ip("2001:db8::9"))]) {
        $0.type = .loadBalancer
        $0.externalIPs = [ip("192.0.2.7"), ip("2001:db8::7")]
      }, slices: [slice("web-6", family: .ipv6, endpoint("fd01::1"))])
    #expect(resolution.ports.map(\.family) == [.v4])
    #expect(resolution.frontends == ["10.96.0.10:80", "192.0.2.7:80", "node:30080"])
    #expect(
      resolution.issues.map(\.description) == [
        "spec.externalIPs[1]: 2001:db8::7 is not programmed: the Service has no IPv6 cluster address",
        "status.loadBalancer.ingress[0].ip: 2001:db8::9 is not programmed: the Service has no IPv6 cluster address",
      ])
  }

  @Test func whatHasNoAddressOfItsOwnIsNotProxied() {
    let headless = service("web", []) { $0.isHeadless = true }
    let named = service("web", [], ports: []) {
      $0.type = .externalName
      $0.externalName = "example.org"
    }
    let unassigned = service("web", [])
    let foreign = service(labels: ["service.kubernetes.io/service-proxy-name": "other"])
    let empty = service(labels: ["service.kubernetes.io/service-proxy-name": ""])
    for one in [headless, named, unassigned, foreign, empty] {
      #expect(resolver.resolve(one, slices: [slice(endpoint("10.1.0.1"))]) == ServiceResolver.Resolution())
    }
    #expect(
      [headless, named, unassigned, foreign].map { resolver.exclusion(of: $0) } == [
        "headless: clients get the addresses of pods from DNS", "type ExternalName: clients get another name from DNS",
        "it has no cluster address yet", "left to the proxy \"other\"",
      ])
    #expect(resolver.exclusion(of: service()) == nil)
  }

  @Test func namedPortsAreMatchedByNameAndProtocol() {
    let ports = [
      ServicePort(name: "http", port: 80, targetPort: .string("web")), ServicePort(name: "dns", protocol: .udp, port: 53),
      ServicePort(name: "dns-tcp", protocol: .tcp, port: 53), ServicePort(name: "missing", port: 99),
    ]
    let targets = [
      EndpointPort(name: "http", port: 8080), EndpointPort(name: "dns", protocol: .udp, port: 5353),
      // The right name with another protocol is another port.
      EndpointPort(name: "dns-tcp", protocol: .udp, port: 5354), EndpointPort(name: "missing", port: nil),
    ]
    let resolution = resolver.resolve(service(ports: ports), slices: [slice(ports: targets, endpoint("10.1.0.1"))])
    #expect(resolution.ports.map { $0.endpoints.map(\.port) } == [[8080], [5353], [], []])
    #expect(
      resolution.ports.map(\.key) == [
        "default/web:http/TCP/4", "default/web:dns/UDP/4", "default/web:dns-tcp/TCP/4", "default/web:missing/TCP/4",
      ])
  }

  @Test func slicesOfNamesAndOfTheOtherFamilyAreNoEndpoints() {
    let slices = [
      slice("fqdn", of: "web", family: .fqdn, endpoints: [Endpoint()]), slice("web-6", family: .ipv6, endpoint("fd01::1")),
      slice("empty", of: "web", endpoints: [Endpoint(addresses: [])]),
    ]
    let resolution = resolver.resolve(service(), slices: slices)
    #expect(resolution.cluster.isEmpty)
    #expect(resolution.ports.count == 1)
  }
}
