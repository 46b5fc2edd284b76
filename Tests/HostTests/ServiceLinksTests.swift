import KubeModel
import Testing
import swiftlet

/// Variables of Services in containers.
struct ServiceLinksTests {
  private func lines(_ service: Service) -> [String] { ServiceLinks.variables(of: service).map { "\($0.name)=\($0.value)" } }

  @Test func hostPortAndLinkFormsAreUpstreams() {
    let service = Service(
      metadata: ObjectMeta(name: "my-web"),
      spec: ServiceSpec(
        clusterIPs: [ip("10.96.0.10")],
        ports: [ServicePort(name: "http", port: 80), ServicePort(name: "dns-udp", protocol: .udp, port: 53)]))
    #expect(
      lines(service) == [
        "MY_WEB_SERVICE_HOST=10.96.0.10", "MY_WEB_SERVICE_PORT=80", "MY_WEB_SERVICE_PORT_HTTP=80", "MY_WEB_SERVICE_PORT_DNS_UDP=53",
        "MY_WEB_PORT=tcp://10.96.0.10:80", "MY_WEB_PORT_80_TCP=tcp://10.96.0.10:80", "MY_WEB_PORT_80_TCP_PROTO=tcp",
        "MY_WEB_PORT_80_TCP_PORT=80", "MY_WEB_PORT_80_TCP_ADDR=10.96.0.10", "MY_WEB_PORT_53_UDP=udp://10.96.0.10:53",
        "MY_WEB_PORT_53_UDP_PROTO=udp", "MY_WEB_PORT_53_UDP_PORT=53", "MY_WEB_PORT_53_UDP_ADDR=10.96.0.10",
      ])
  }

  @Test func anIPv6AddressIsBracketedInURLsOnly() {
    let lines = lines(
      Service(metadata: ObjectMeta(name: "v6"), spec: ServiceSpec(clusterIPs: [ip("fd00::10")], ports: [ServicePort(port: 80)])))
    #expect(lines.contains("V6_SERVICE_HOST=fd00::10") && lines.contains("V6_PORT=tcp://[fd00::10]:80"))
    #expect(lines.contains("V6_PORT_80_TCP_ADDR=fd00::10"))
  }

  @Test func aServiceWithoutAnAddressHasNone() {
    let metadata = ObjectMeta(name: "a")
    #expect(lines(Service(metadata: metadata, spec: ServiceSpec(isHeadless: true, ports: [ServicePort(port: 80)]))).isEmpty)
    #expect(lines(Service(metadata: metadata, spec: ServiceSpec(type: .externalName, externalName: "example.org"))).isEmpty)
    #expect(lines(Service(metadata: metadata, spec: ServiceSpec(clusterIPs: [ip("10.96.0.10")]))).isEmpty)
  }
}
