import KubeModel
import ServiceProxy
import Testing

/// Whom the balancer's addresses serve.
@Suite struct SourceRangeTests {
  private static let annotation = "service.beta.kubernetes.io/load-balancer-source-ranges"

  private func resolve(_ places: Places, annotation: String? = nil, _ ranges: [CIDR]) -> ServiceResolver.Resolution {
    var service = places.everyKind { $0.loadBalancerSourceRanges = ranges }
    if let annotation { service.metadata.annotations[SourceRangeTests.annotation] = annotation }
    return places.onNode().resolve(service, slices: [places.slice(endpoint(places.pod(1)))])
  }

  /// The kinds of the front ends that check, and whom they let in.
  private func checked(_ resolution: ServiceResolver.Resolution) -> ([ResolvedServicePort.Frontend.Kind], [CIDR]) {
    (resolution.ports.flatMap(\.frontends).filter(\.checksSource).map(\.kind), resolution.ports.flatMap(\.sourceRanges))
  }

  @Test(arguments: Places.both)
  func onlyTheBalancersAddressChecks(_ places: Places) {
    let resolution = resolve(places, [places.outsiders])
    #expect(checked(resolution) == ([.loadBalancer], [places.outsiders]))
    #expect(resolution.ports[0].frontends.count == 4)
    #expect(resolution.issues.isEmpty)
    #expect(checked(resolve(places, [])) == ([], []))
  }

  @Test(arguments: Places.both)
  func rangesOfTheOtherFamilyDoNotCount(_ places: Places) {
    #expect(checked(resolve(places, [places.outsiders, places.other.outsiders])) == ([.loadBalancer], [places.outsiders]))
    #expect(checked(resolve(places, [places.outsiders, places.other.everybody])) == ([.loadBalancer], [places.outsiders]))
  }

  @Test(arguments: Places.both)
  func aFamilyWithoutARangeServesNobodyAndIsTold(_ places: Places) {
    let resolution = resolve(places, [places.other.outsiders])
    #expect(checked(resolution) == ([.loadBalancer], []))
    #expect(
      resolution.issues.map(\.description) == [
        "spec.loadBalancerSourceRanges: no range is of \(places.family.rawValue): nobody is served at the balancer's \(places.family.rawValue) addresses"
      ])
  }

  @Test(arguments: Places.both)
  func everybodyIsNoCheck(_ places: Places) {
    #expect(checked(resolve(places, [places.outsiders, places.everybody])) == ([], []))
  }

  @Test(arguments: Places.both)
  func aRangeWithTheNodeLetsTheBalancersOwnAddressIn(_ places: Places) {
    // On a node that has it as its own address, that is what the node's connections to it come from.
    let node = places.only(places.node)
    #expect(checked(resolve(places, [node])) == ([.loadBalancer], [node, places.only(places.balancer)].sorted { $0.address < $1.address }))
    #expect(checked(resolve(places, [places.outsiders])).1 == [places.outsiders])
  }

  @Test func networksComeInOrderAndApart() {
    let ranges = ["10.2.0.0/16", "10.0.0.0/8", "10.2.3.4/32", "192.0.2.0/25", "192.0.2.0/24", "9.0.0.0/8", "10.0.0.0/8"].map(cidr)
    #expect(checked(resolve(Places.both[0], ranges)).1 == ["9.0.0.0/8", "10.0.0.0/8", "192.0.2.0/24"].map(cidr))
  }

  @Test func theAnnotationCountsOnlyWhereTheFieldIsEmpty() {
    let places = Places.both[0]
    #expect(checked(resolve(places, annotation: " 192.0.2.0/24 , 203.0.113.0/24,", [])).1 == ["192.0.2.0/24", "203.0.113.0/24"].map(cidr))
    #expect(checked(resolve(places, annotation: "192.0.2.0/24", [places.outsiders])).1 == [places.outsiders])
    for empty in ["", "  ", " , "] { #expect(checked(resolve(places, annotation: empty, [])) == ([], [])) }
    #expect(checked(resolve(places, annotation: "0.0.0.0/0", [])) == ([], []))
    var plain = service(
      "web", annotations: [SourceRangeTests.annotation: "192.0.2.0/24"], ingress: [LoadBalancerIngress(ip: ip("198.51.100.1"))])
    #expect(checked(resolver.resolve(plain, slices: [])) == ([], []))
    plain.spec.type = .loadBalancer
    #expect(checked(resolver.resolve(plain, slices: [])).0 == [.loadBalancer])
  }

  @Test func anAnnotationThatCannotBeReadLetsNobodyInThroughIt() {
    let broken = resolve(Places.both[0], annotation: "192.0.2.0, 203.0.113.0/24", [])
    #expect(checked(broken) == ([.loadBalancer], [cidr("203.0.113.0/24")]))
    #expect(broken.issues.map(\.reason) == ["\"192.0.2.0\" is no address range; it lets nobody in"])
    #expect(checked(resolve(Places.both[0], annotation: "all", [])) == ([.loadBalancer], []))
  }

  @Test(arguments: Places.both)
  func withoutABalancersAddressNothingChecks(_ places: Places) {
    let proxied = service("web", [places.cluster], ingress: [LoadBalancerIngress(ip: ip(places.balancer), ipMode: .proxy)]) {
      $0.type = .loadBalancer
      $0.loadBalancerSourceRanges = [places.other.outsiders]
    }
    let resolution = places.onNode().resolve(proxied, slices: [])
    #expect(checked(resolution) == ([], []))
    #expect(resolution.issues.isEmpty)
  }

  @Test(arguments: Places.both)
  func anExternalAddressThatIsTheBalancersTooChecks(_ places: Places) {
    var both = places.everyKind { $0.loadBalancerSourceRanges = [places.outsiders] }
    both.spec.externalIPs = [ip(places.balancer)]
    let resolution = places.onNode().resolve(both, slices: [])
    #expect(checked(resolution) == ([.externalIP], [places.outsiders]))
    #expect(resolution.ports[0].frontends.count == 3)
  }
}
