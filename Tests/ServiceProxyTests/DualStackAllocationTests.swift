import KubeModel
import ServiceProxy
import Testing

/// IP families and node ports that the allocator gives.
struct DualStackAllocationTests {
  private let both = [cidr("10.96.0.0/24"), cidr("fd00:96::/112")]

  private func families(
    _ ranges: [CIDR], stated: [String] = [], _ policy: IPFamilyPolicy?, _ wanted: [IPFamily] = []
  ) -> (families: [IPFamily], issues: [String]) {
    var allocator = ServiceAddressAllocator(ranges: ranges)
    let (services, issues) = allocator.assign([
      service("a", stated) {
        $0.ipFamilyPolicy = policy
        $0.ipFamilies = wanted
      }
    ])
    return (services[0].spec.clusterIPs.map(\.family), issues["default/a"]?.map(\.description) ?? [])
  }

  @Test func theFirstRangeIsThePrimaryFamily() {
    #expect(families(both, nil).families == [.v4])
    #expect(families(both.reversed(), nil).families == [.v6])
    #expect(families(both.reversed(), .requireDualStack).families == [.v6, .v4])
    #expect(families(both, .preferDualStack).families == [.v4, .v6])
  }

  @Test func theFamiliesAskedForComeInTheirOrder() {
    #expect(families(both, nil, [.v6]).families == [.v6])
    #expect(families(both, nil, [.v6, .v4]).families == [.v6, .v4])
    #expect(families(both, .preferDualStack, [.v6]).families == [.v6, .v4])
    #expect(families(both, .requireDualStack, [.v4]).families == [.v4, .v6])
    #expect(families(both, .singleStack, [.v6]).families == [.v6])
  }

  @Test func preferringTwoFamiliesIsContentWithOneAndRequiringThemIsNot() {
    #expect(families([both[0]], .preferDualStack) == ([.v4], []))
    let required = families([both[0]], .requireDualStack)
    #expect(required.families == [.v4])
    #expect(required.issues == ["spec.ipFamilies: the service range has no IPv6 part"])
  }

  @Test func aStatedAddressIsCompletedOnlyWhenTwoFamiliesAreWanted() {
    #expect(families(both, stated: ["fd00:96::7"], nil).families == [.v6])
    #expect(families(both, stated: ["10.96.0.7"], .singleStack).families == [.v4])
    #expect(families(both, stated: ["10.96.0.7"], .requireDualStack).families == [.v4, .v6])
    #expect(families(both, stated: ["fd00:96::7"], .preferDualStack).families == [.v6, .v4])
    #expect(families(both, stated: ["10.96.0.7", "fd00:96::7"], .requireDualStack).families == [.v4, .v6])
  }

  @Test func aFamilyThatIsAddedLeavesTheOtherAddressAlone() {
    var allocator = ServiceAddressAllocator(ranges: both)
    let single = allocator.assign([service("a", [])]).services[0].spec.clusterIPs
    let dual = allocator.assign([service("a", []) { $0.ipFamilyPolicy = .requireDualStack }]).services[0].spec.clusterIPs
    #expect(dual.count == 2 && dual.first == single.first)
  }

  // MARK: Node ports

  private func nodePorts(_ allocator: inout ServiceAddressAllocator, _ services: Service...) -> [[UInt16?]] {
    allocator.assign(services).services.map { $0.spec.ports.map(\.nodePort) }
  }

  private func open(_ name: String, _ ports: ServicePort..., type: ServiceType = .nodePort) -> Service {
    service(name, [], ports: ports) { $0.type = type }
  }

  @Test func nodePortsAreGivenOnceAndKept() throws {
    var allocator = ServiceAddressAllocator(ranges: both)
    let ports = [
      ServicePort(name: "http", port: 80), ServicePort(name: "https", port: 443), ServicePort(name: "dns", protocol: .udp, port: 53),
    ]
    let a = open("a", ports[0], ports[1], ports[2])
    let first = nodePorts(&allocator, a)
    let numbers = first[0].compactMap { $0 }
    #expect(numbers.count == 3 && numbers.allSatisfy(ServiceAddressAllocator.nodePorts.contains))
    #expect(numbers[0] != numbers[1])
    // The order of the ports and another Service change nothing.
    let turned = nodePorts(&allocator, open("b", ports[0]), open("a", ports[2], ports[1], ports[0]))
    #expect(turned[1] == first[0].reversed())
    #expect(turned[0] != [first[0][0]])
  }

  @Test func aStatedNodePortIsNeverGivenToAnother() throws {
    var allocator = ServiceAddressAllocator(ranges: both)
    let number = try #require(nodePorts(&allocator, open("a", ServicePort(port: 80)))[0][0])
    let after = nodePorts(&allocator, open("a", ServicePort(port: 80)), open("b", ServicePort(port: 80, nodePort: number)))
    #expect(after[1] == [number])
    #expect(after[0] != [number] && after[0] != [nil])
    // The same number for another protocol is another port.
    var fresh = ServiceAddressAllocator(ranges: both)
    let udp = ServicePort(protocol: .udp, port: 80, nodePort: number)
    #expect(nodePorts(&fresh, open("b", udp), open("a", ServicePort(port: 80)))[1] == [number])
  }

  @Test func onlyTypesThatOpenNodePortsGetThem() {
    var allocator = ServiceAddressAllocator(ranges: both)
    let balancer = open("b", ServicePort(port: 80), type: .loadBalancer)
    var bare = open("c", ServicePort(port: 80), type: .loadBalancer)
    bare.spec.allocateLoadBalancerNodePorts = false
    let ports = nodePorts(&allocator, open("a", ServicePort(port: 80), type: .clusterIP), balancer, bare)
    #expect(ports[0] == [nil] && ports[1] != [nil] && ports[2] == [nil])
  }

  @Test func whenTheNodePortsAreUsedUpItIsSaid() {
    var allocator = ServiceAddressAllocator(ranges: [cidr("10.96.0.0/16")])
    let all = ServiceAddressAllocator.nodePorts.map { number in
      service("s\(number)", [], ports: [ServicePort(port: 80, nodePort: number)]) { $0.type = .nodePort }
    }
    let (services, issues) = allocator.assign(all + [open("late", ServicePort(port: 80))])
    #expect(services.last?.spec.ports[0].nodePort == nil)
    #expect(issues["default/late"]?.map(\.description) == ["spec.ports[0].nodePort: the node port range is used up"])
  }

  @Test func aBalancedServiceThatKeepsTrafficLocalGetsAPortForItsHealth() throws {
    func balanced(_ name: String, stated: UInt16? = nil) -> Service {
      service(name, [], ports: [ServicePort(port: 80)]) {
        $0.type = .loadBalancer
        $0.externalTrafficPolicy = .local
        $0.healthCheckNodePort = stated
      }
    }
    var allocator = ServiceAddressAllocator(ranges: both)
    let first = allocator.assign([balanced("a")]).services[0].spec
    let number = try #require(first.healthCheckNodePort)
    #expect(ServiceAddressAllocator.nodePorts.contains(number) && first.ports[0].nodePort != number)
    // Kept over a restart, and given up when somebody states it.
    var restarted = ServiceAddressAllocator(ranges: both, assignments: allocator.assignments)
    #expect(restarted.assign([balanced("b"), balanced("a")]).services.map(\.spec.healthCheckNodePort)[1] == number)
    let moved = restarted.assign([balanced("a"), balanced("c", stated: number)]).services.map(\.spec.healthCheckNodePort)
    #expect(moved[1] == number && moved[0] != number && moved[0] != nil)
    // Nor does a node port get it.
    let beside = restarted.assign([balanced("c", stated: number), open("d", ServicePort(port: 80, nodePort: nil))]).services
    #expect(beside[1].spec.ports[0].nodePort != number)
    var cluster = balanced("a")
    cluster.spec.externalTrafficPolicy = .cluster
    #expect(allocator.assign([cluster]).services[0].spec.healthCheckNodePort == nil)
  }
}
