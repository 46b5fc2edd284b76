import IPVS
import PluginAPI
import PluginKit
import ProxyTesting
import Testing

/// Node ports while addresses of the node come and go, against a model of the kernel.
struct NodeAddressTests {
  private let kernel = ModelKernel()
  private let programmer: Programmer

  init() throws { programmer = Programmer(kernel, settings: try Fixtures.settings()) }

  private func load(_ services: [TestService]) throws {
    try programmer.beginLoad()
    try programmer.apply(try Fixtures.ports(services)) { Issue.record("\($0): \($1)") }
    try programmer.completeLoad()
  }

  @Test func nodePortsFollowTheAddressesOfTheNode() throws {
    let service = TestService("a", [.nodePort(30080)], [TestEndpoint("10.0.0.2", 80)])
    try load([service, TestService("b", [TestFrontend(SWL_PROXY_EXTERNAL_IP, "198.51.100.7", 80)], [TestEndpoint("10.0.0.2", 80)])])
    #expect(kernel.servers.count == 3)
    #expect(kernel.addresses == [Fixtures.address("198.51.100.7")])
    // The external address becomes one of the node's own: it is no longer ours to bind.
    try programmer.takeNodeAddresses([Fixtures.address("192.0.2.1"), Fixtures.address("198.51.100.7")]) { Issue.record("\($0): \($1)") }
    let expected = [("192.0.2.1", 30080), ("198.51.100.7", 30080), ("198.51.100.7", 80)].map {
      ServerKey.address(Fixtures.frontend($0.0, UInt16($0.1)))
    }
    #expect(Set(kernel.servers.keys) == Set(expected))
    #expect(kernel.addresses.isEmpty)
  }

  @Test(arguments: [true, false])
  func aNodePortLeavesTheForeignVirtualServerOfANewAddressAlone(_ isKnown: Bool) throws {
    let ours = ServerKey.address(Fixtures.frontend("192.0.2.1", 30080))
    let theirs = Fixtures.frontend("198.51.100.7", 30080)
    kernel.foreign = [.address(theirs)]
    kernel.knowsForeign = isKnown
    try load([TestService("a", [.nodePort(30080)], [TestEndpoint("10.0.0.2", 80)]), Fixtures.web(1)])
    kernel.node.insert(theirs.address)
    var failures: [String] = []
    try programmer.takeNodeAddresses(kernel.node) { key, _ in failures.append(key) }
    #expect(failures == ["a"])
    #expect(kernel.servers[ours]?.weights.count == 1)
    #expect(kernel.foreignReals.isEmpty)
    // A successor would take it for ours.
    #expect(!kernel.elements.contains(.frontend(.frontends, theirs)))
    // When it is gone the service port follows.
    kernel.foreign = []
    try programmer.takeNodeAddresses(kernel.node) { Issue.record("\($0): \($1)") }
    #expect(kernel.servers[.address(theirs)]?.weights.count == 1)
  }

  @Test func aNodePortDoesNotTakeTheFrontEndOfAnotherAtANewAddress() throws {
    let frontend = Fixtures.frontend("198.51.100.7", 30080)
    let external = TestFrontend(SWL_PROXY_EXTERNAL_IP, "198.51.100.7", 30080)
    try load([
      TestService("a", [.nodePort(30080)], [TestEndpoint("10.0.0.2", 80)]), TestService("b", [external], [TestEndpoint("10.0.0.3", 80)]),
    ])
    var failures: [String] = []
    try programmer.takeNodeAddresses(kernel.node.union([frontend.address])) { key, _ in failures.append(key) }
    #expect(failures == ["a"])
    #expect(programmer.ledger.servers[.address(frontend)]?.owner == "b")
    #expect(kernel.servers[.address(frontend)]?.weights == [Fixtures.real("10.0.0.3", 80): 1])
    #expect(kernel.addresses.isEmpty)
  }

  @Test func aNewAddressWhoseAnswerIsLostIsTakenWithoutAnotherChange() throws {
    try load([TestService("a", [.nodePort(30080)], [TestEndpoint("10.0.0.2", 80)])])
    let before = kernel.servers.count
    kernel.node.insert(Fixtures.address("198.51.100.7"))
    kernel.losesAnswerAfter = 2
    #expect(throws: BackendFault.self) { try programmer.takeNodeAddresses(kernel.node) { Issue.record("\($0): \($1)") } }
    try programmer.settle()
    #expect(kernel.servers[.address(Fixtures.frontend("198.51.100.7", 30080))]?.weights.count == 1)
    #expect(kernel.servers.count == before + 1)
    #expect(kernel.servers == programmer.mirror.servers)
  }
}
