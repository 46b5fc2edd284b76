import Conntrack
import KubeModel
import ProxyTesting
import Testing

@Suite struct NodeAddressesTests {
  private let addresses: Set<IPAddress> = Set(Plan.all.map(\.node))

  @Test(arguments: Plan.all) func nodePortsAnswerOnTheNodesOwnAddressesOnly(_ plan: Plan) {
    let node = NodeAddresses(addresses)
    #expect(node.contains(plan.node))
    #expect(!node.contains(plan.client))
    #expect(node.contains(plan.family == .v4 ? IPAddress(v4: 0x7f01_0203) : IPAddress(v6High: 0, low: 1)))
  }

  @Test(arguments: Plan.all) func orOnThoseInsideTheRangesGiven(_ plan: Plan) throws {
    let inside = try #require(CIDR(plan.node, prefixLength: plan.family.bitWidth - 8))
    let outside = try #require(CIDR(plan.elsewhere, prefixLength: plan.family.bitWidth - 8))
    #expect(NodeAddresses(addresses, ranges: [outside, inside]).contains(plan.node))
    #expect(!NodeAddresses(addresses, ranges: [outside]).contains(plan.node))
    #expect(!NodeAddresses(addresses, ranges: [inside]).contains(plan.client))
    #expect(!NodeAddresses(addresses, ranges: [inside]).contains(IPAddress(v4: 0x7f00_0001)))
  }
}

@Suite(.blocking) struct NodeAddressesKernelTests {
  @Test(arguments: Plan.all) func theInterfacesAreAskedInTheThreadsNamespace(_ plan: Plan) throws {
    let namespace = try NetworkNamespace()
    let prefix = plan.family == .v4 ? "32" : "128"
    try Command.run("ip", "addr", "add", "\(plan.node)/\(prefix)", "dev", "lo", in: namespace)
    let found = try namespace.run { try NodeAddresses.current() }
    #expect(found.contains(plan.node))
    #expect(found.addresses.count == 3)
    #expect(try NodeAddresses.current().contains(plan.node) == false)
  }
}
