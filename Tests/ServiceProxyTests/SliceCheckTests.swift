import KubeModel
import ServiceProxy
import Testing

/// Slices as only a broken writer makes them: nothing of them becomes a rule, and that is told.
@Suite struct SliceCheckTests {
  @Test(arguments: [
    ("127.0.0.1", AddressType.ipv4, "is a loopback address"), ("0.0.0.0", .ipv4, "is the unspecified address"),
    ("169.254.169.254", .ipv4, "is a link-local address"), ("224.0.0.1", .ipv4, "is a multicast address"),
    ("fd01::1", .ipv4, "is no IPv4 address"), ("::1", .ipv6, "is a loopback address"), ("::", .ipv6, "is the unspecified address"),
    ("fe80::1", .ipv6, "is a link-local address"), ("ff02::1", .ipv6, "is a multicast address"),
    ("10.1.0.1", .ipv6, "is no IPv6 address"), ("::ffff:10.1.0.1", .ipv6, "is an IPv4 address in IPv6 form"),
  ])
  func specialAddressesAreRefused(_ address: String, _ type: AddressType, _ complaint: String) throws {
    let places = type == .ipv4 ? Places.both[0] : Places.both[1]
    let slices = [slice("bad", of: "web", family: type, endpoints: [endpoint(address), endpoint(places.pod(1))])]
    let service = service("web", [places.cluster])
    let resolution = resolver.resolve(service, slices: slices)
    #expect(resolution.ports.flatMap(\.endpoints).map(\.address) == [ip(places.pod(1))])
    #expect(resolution.issues.map(\.description) == ["EndpointSlice bad endpoints[0].addresses[0]: \(ip(address)) \(complaint); not used"])
    let explained = try #require(resolver.explain(service, slices: slices).first).endpoints
    #expect(explained.map(\.reason).contains("not used anywhere, it \(complaint)"))
  }

  @Test func aSliceFullOfThemIsOneIssue() {
    let endpoints = (1...9).map { endpoint("127.0.0.\($0)") }
    let resolution = resolver.resolve(service(), slices: [slice("bad", of: "web", endpoints: endpoints)])
    #expect(resolution.issues.map(\.reason) == ["127.0.0.1 is a loopback address; not used, and 8 more of this slice"])
    #expect(resolution.ports[0].endpoints.isEmpty && resolution.ports[0].frontends[0].whenEmpty == .refuse)
  }

  @Test(arguments: [nil, 0] as [UInt16?])
  func portsWithoutANumberAreRefused(_ number: UInt16?) {
    let resolution = resolver.resolve(service(), slices: [slice(ports: [EndpointPort(port: number)], endpoint("10.1.0.1"))])
    #expect(resolution.cluster.isEmpty)
    #expect(resolution.issues.map(\.fieldPath) == ["EndpointSlice web-1 ports[0].port"])
  }

  @Test func slicesOfNamesAreNoFault() {
    #expect(resolver.resolve(service(), slices: [slice("fqdn", of: "web", family: .fqdn, endpoints: [Endpoint()])]).issues.isEmpty)
  }
}
