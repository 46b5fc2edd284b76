import KubeModel
import ServiceProxy
import Testing

/// Addresses and node ports for Services that state none.
struct ServiceAddressAllocatorTests {
  private let range = cidr("10.96.0.0/24")

  private func unassigned(_ name: String, _ change: (inout ServiceSpec) -> Void = { _ in }) -> Service { service(name, [], change) }

  private func nodePortService(_ name: String, _ ports: [ServicePort] = [ServicePort(port: 80)]) -> Service {
    service(name, [], ports: ports) { $0.type = .nodePort }
  }

  private func addresses(_ services: [Service]) -> [String: [IPAddress]] {
    Dictionary(uniqueKeysWithValues: services.map { ($0.metadata.name, $0.spec.clusterIPs) })
  }

  @Test func aServiceGetsAnAddressInsideTheRange() throws {
    var allocator = ServiceAddressAllocator(ranges: [range])
    let (services, issues) = allocator.assign([unassigned("a")])
    let address = try #require(services[0].spec.clusterIP)
    #expect(range.contains(address))
    #expect(issues.isEmpty)
    #expect(allocator.assignments == ["default/a": .init(addresses: [address])])
  }

  @Test func theSameServiceKeepsItsAddressWhateverElseComesAndGoes() {
    var allocator = ServiceAddressAllocator(ranges: [range])
    let mine = addresses(allocator.assign([unassigned("mine")]).services)["mine"]
    let crowd = (0..<200).map { unassigned("s\($0)") }
    #expect(addresses(allocator.assign(crowd + [unassigned("mine")]).services)["mine"] == mine)
    #expect(addresses(allocator.assign([unassigned("mine")] + crowd.suffix(20)).services)["mine"] == mine)
    // After a restart with the file, and, as long as nobody sat in its place, without it.
    var restarted = ServiceAddressAllocator(ranges: [range], assignments: allocator.assignments)
    #expect(addresses(restarted.assign(crowd + [unassigned("mine")]).services)["mine"] == mine)
    var forgetful = ServiceAddressAllocator(ranges: [range])
    #expect(addresses(forgetful.assign([unassigned("mine")] + crowd).services)["mine"] == mine)
  }

  @Test func noAddressIsGivenTwice() {
    var allocator = ServiceAddressAllocator(ranges: [range])
    let (services, issues) = allocator.assign((0..<253).map { unassigned("s\($0)") })
    let given = services.flatMap(\.spec.clusterIPs)
    #expect(issues.isEmpty)
    #expect(Set(given).count == 253)
    // The network address, the API server's and the broadcast address stay free.
    #expect(Set(given).isDisjoint(with: [ip("10.96.0.0"), ip("10.96.0.1"), ip("10.96.0.255")]))
  }

  @Test func aFullRangeIsSaidAndAFreedAddressIsUsed() {
    var allocator = ServiceAddressAllocator(ranges: [cidr("10.96.0.0/30")])
    let (services, issues) = allocator.assign([unassigned("a"), unassigned("b")])
    #expect(services.map(\.spec.clusterIPs) == [[ip("10.96.0.2")], []])
    #expect(issues["default/b"]?.map(\.description) == ["spec.clusterIP: the service range 10.96.0.0/30 is used up"])
    let (later, none) = allocator.assign([unassigned("b")])
    #expect(later.map(\.spec.clusterIPs) == [[ip("10.96.0.2")]])
    #expect(none.isEmpty)
    var tiny = ServiceAddressAllocator(ranges: [cidr("10.96.0.7/32")])
    #expect(tiny.assign([unassigned("a")]).issues.count == 1)
  }

  @Test func aStatedAddressIsTakenAndNeverGivenToAnother() throws {
    var allocator = ServiceAddressAllocator(ranges: [range])
    let first = try #require(allocator.assign([unassigned("a")]).services[0].spec.clusterIP)
    // A manifest now states what "a" was given: the manifest is stronger.
    let (services, issues) = allocator.assign([unassigned("a"), service("b", ["\(first)"])])
    #expect(services[1].spec.clusterIPs == [first])
    #expect(services[0].spec.clusterIPs.count == 1 && services[0].spec.clusterIPs != [first])
    #expect(issues.isEmpty)
    #expect(Array(allocator.assignments.keys) == ["default/a"])
    // An address outside the range may be stated as well.
    #expect(allocator.assign([service("c", ["192.0.2.1"])]).services[0].spec.clusterIPs == [ip("192.0.2.1")])
  }

  @Test func whatNeedsNoAddressGetsNoneAndGivesItsOwnBack() {
    var allocator = ServiceAddressAllocator(ranges: [range])
    _ = allocator.assign([unassigned("a"), unassigned("b")])
    let headless = unassigned("a") { $0.isHeadless = true }
    let named = unassigned("b") { $0.type = .externalName }
    let (services, issues) = allocator.assign([headless, named])
    #expect(services.allSatisfy { $0.spec.clusterIPs.isEmpty })
    #expect(issues.isEmpty && allocator.assignments.isEmpty)
  }

  @Test func anotherRangeMeansOtherAddresses() {
    var allocator = ServiceAddressAllocator(ranges: [range])
    _ = allocator.assign([unassigned("a")])
    let moved = cidr("172.30.0.0/16")
    var next = ServiceAddressAllocator(ranges: [moved], assignments: allocator.assignments)
    #expect(next.assign([unassigned("a")]).services[0].spec.clusterIPs.allSatisfy { moved.contains($0) })
    #expect(next.assignments["default/a"]?.addresses.count == 1)
  }

  @Test func anAddressThatAFileNamesTwiceIsGivenOnce() {
    let same = ServiceAddressAllocator.Assignment(addresses: [ip("10.96.0.9")], nodePorts: ["/TCP": 30001])
    var allocator = ServiceAddressAllocator(ranges: [range], assignments: ["default/a": same, "default/b": same])
    let services = allocator.assign([nodePortService("b"), nodePortService("a")]).services
    #expect(services[1].spec.clusterIPs == [ip("10.96.0.9")] && services[1].spec.ports[0].nodePort == 30001)
    #expect(services[0].spec.clusterIPs != [ip("10.96.0.9")] && services[0].spec.ports[0].nodePort != 30001)
  }

  @Test func aServiceThatMayComeBackKeepsItsAddressFree() {
    let mine = service("a", [])
    var allocator = ServiceAddressAllocator(ranges: [cidr("10.96.0.0/30")])
    let before = allocator.assign([mine]).services
    // The only address there is stays with "a" while its file cannot be read.
    #expect(allocator.assign([service("b", [])], forgetting: false).issues["default/b"]?.count == 1)
    #expect(allocator.assign([mine, service("b", [])]).services[0] == before[0])
  }
}
