import Glibc
import IPVS
import PluginAPI
import PluginKit
import ProxyTesting
import Testing

/// Loads, drains, adoption and failures against a model of the kernel.
struct ProgrammerTests {
  private final class Time {
    var seconds: UInt64 = 1000
  }

  private let kernel = ModelKernel()
  private let time = Time()
  private let settings: Settings
  private let programmer: Programmer
  private let webKey = ServerKey.address(Fixtures.frontend("10.96.0.2", 80))

  init() throws {
    settings = try Fixtures.settings()
    let time = time
    programmer = Programmer(kernel, settings: settings, now: { time.seconds })
  }

  @discardableResult
  private func apply(_ services: [TestService], removals: [String] = [], _ target: Programmer? = nil) throws -> [String: BackendFault] {
    var failures: [String: BackendFault] = [:]
    let changes = try Fixtures.ports(services) + removals.map { .removal(key: $0) }
    try (target ?? programmer).apply(changes) { failures[$0] = $1 }
    return failures
  }

  private func load(_ services: [TestService]) throws {
    try programmer.beginLoad()
    #expect(try apply(services).isEmpty)
    try programmer.completeLoad()
  }

  // MARK: Graceful removal

  @Test func aServerWithConnectionsIsDrainedAndThenRemoved() throws {
    try load([Fixtures.web(1)])
    let gone = Fixtures.real("10.0.1.3")
    try apply([Fixtures.web(1, endpoints: 1)])
    #expect(kernel.servers[webKey]?.weights == [Fixtures.real("10.0.1.2"): 1, gone: 0])
    kernel.active[webKey] = [gone: 2]
    try programmer.workOff()
    #expect(kernel.servers[webKey]?.weights[gone] == 0)
    kernel.active[webKey] = [gone: 0]
    try programmer.workOff()
    #expect(kernel.servers[webKey]?.weights == [Fixtures.real("10.0.1.2"): 1])
    #expect(programmer.drain.isEmpty)
  }

  @Test func aServerThatNeverGetsIdleIsRemovedAfterFifteenMinutes() throws {
    try load([Fixtures.web(1)])
    let gone = Fixtures.real("10.0.1.3")
    try apply([Fixtures.web(1, endpoints: 1)])
    kernel.active[webKey] = [gone: 1]
    time.seconds += Drain.limit - 1
    try programmer.workOff()
    #expect(kernel.servers[webKey]?.weights[gone] == 0)
    time.seconds += 1
    try programmer.workOff()
    #expect(kernel.servers[webKey]?.weights[gone] == nil)
  }

  @Test func aServerWithHalfClosedConnectionsIsNotRemoved() throws {
    try load([Fixtures.web(1)])
    let gone = Fixtures.real("10.0.1.3")
    try apply([Fixtures.web(1, endpoints: 1)])
    kernel.closed = 1
    try programmer.workOff()
    time.seconds += 60
    try programmer.workOff()
    #expect(kernel.servers[webKey]?.weights[gone] == 0)
    kernel.closed = 0
    try programmer.workOff()
    #expect(kernel.servers[webKey]?.weights == [Fixtures.real("10.0.1.2"): 1])
  }

  @Test func aServerThatReturnsGetsItsWeightBack() throws {
    try load([Fixtures.web(1)])
    try apply([Fixtures.web(1, endpoints: 1)])
    kernel.active[webKey] = [Fixtures.real("10.0.1.3"): 1]
    kernel.forgetSteps()
    try apply([Fixtures.web(1)])
    #expect(kernel.taken == [.changeReal(webKey, Fixtures.real("10.0.1.3"), weight: 1)])
    #expect(programmer.drain.isEmpty)
    // Its time begins anew when it goes again.
    time.seconds += Drain.limit
    try apply([Fixtures.web(1, endpoints: 1)])
    try programmer.workOff()
    #expect(kernel.servers[webKey]?.weights[Fixtures.real("10.0.1.3")] == 0)
  }

  @Test(arguments: [UInt8(17), 132])
  func udpAndSCTPServersAreRemovedAtOnce(_ proto: UInt8) throws {
    var service = Fixtures.web(1)
    service.proto = proto
    try load([service])
    service.endpoints.removeLast()
    try apply([service])
    #expect(kernel.servers.values.map(\.weights.count) == [1])
    service.endpoints = []
    try apply([service])
    #expect(kernel.servers.isEmpty)
  }

  @Test func theLastServersDrainBehindARefusalAndThenTheVirtualServerGoes() throws {
    try load([Fixtures.web(1)])
    kernel.active[webKey] = [Fixtures.real("10.0.1.2"): 1]
    try apply([Fixtures.web(1, endpoints: 0)])
    #expect(kernel.elements.contains(.frontend(.refuse, Fixtures.frontend("10.96.0.2", 80))))
    try programmer.workOff()
    #expect(kernel.servers[webKey]?.weights == [Fixtures.real("10.0.1.2"): 0])
    kernel.active = [:]
    try programmer.workOff()
    #expect(kernel.servers[webKey] == nil)
  }

  @Test func whatAnEarlierRunDrainedIsDrainedOn() throws {
    try load([Fixtures.web(1)])
    try apply([Fixtures.web(1, endpoints: 1)])
    kernel.active[webKey] = [Fixtures.real("10.0.1.3"): 1]
    let time = time
    let successor = Programmer(kernel, settings: settings, now: { time.seconds })
    try successor.beginLoad()
    try apply([Fixtures.web(1, endpoints: 1)], successor)
    try successor.completeLoad()
    #expect(successor.drain[.init(webKey, Fixtures.real("10.0.1.3"))] != nil && successor.drain.servers == [webKey])
    time.seconds += Drain.limit
    try successor.workOff()
    #expect(kernel.servers[webKey]?.weights.count == 1)
  }

  // MARK: Health checks

  @Test func portsOfHealthChecksComeAndGoWithoutTheServices() throws {
    func ports(_ list: [UInt16]) throws {
      try programmer.apply([.upsert(ServicePort(healthChecks: list, family: .ipv4))]) { Issue.record("\($0): \($1)") }
    }
    func opened() -> Set<SetElement> { kernel.elements.filter { $0.kind == .health } }
    try load([Fixtures.web(1)])
    try ports([32000, 32001])
    #expect(opened() == [.healthCheck(32000, .ipv4), .healthCheck(32001, .ipv4)])
    kernel.forgetSteps()
    try apply([Fixtures.web(2)])
    try ports([32001])
    #expect(opened() == [.healthCheck(32001, .ipv4)])
    // A load that has them leaves them, one that has not takes them.
    kernel.forgetSteps()
    try programmer.beginLoad()
    try apply([Fixtures.web(1), Fixtures.web(2)])
    try ports([32001])
    try programmer.completeLoad()
    #expect(kernel.taken.isEmpty)
    try load([Fixtures.web(1)])
    #expect(opened().isEmpty)
  }

  // MARK: Loads

  @Test func leftoversGoAfterTheLoadIsComplete() throws {
    try load([Fixtures.web(1), Fixtures.web(2), Fixtures.localWeb()])
    let successor = Programmer(kernel, settings: settings)
    try successor.beginLoad()
    try apply([Fixtures.web(2)], successor)
    #expect(kernel.servers.count == 4)
    #expect(kernel.addresses.count == 3)
    try successor.completeLoad()
    #expect(kernel.servers.keys.map { $0 } == [.address(Fixtures.frontend("10.96.0.3", 80))])
    #expect(kernel.addresses == [Fixtures.address("10.96.0.3")])
    #expect(kernel.elements.filter { $0.subject?.address != Fixtures.address("10.96.0.3") } == [.address(Fixtures.address("10.96.0.3"))])
  }

  @Test func aServicePortALoadCannotProgramKeepsItsPreviousState() throws {
    try load([Fixtures.web(1)])
    for target in [programmer, Programmer(kernel, settings: settings)] {
      try target.beginLoad()
      target.refuse(try Fixtures.port(Fixtures.web(1)))
      try target.completeLoad()
      #expect(kernel.servers[webKey]?.weights.count == 2)
      #expect(kernel.addresses == [Fixtures.address("10.96.0.2")])
      #expect(kernel.elements.contains(.frontend(.frontends, Fixtures.frontend("10.96.0.2", 80))))
    }
  }

  /// 255.255.255.255, say, which the kernel takes for no address of a server.
  private func refuseThirdEndpoint() {
    kernel.refuse = { step in if case .addReal(_, Fixtures.real("10.0.1.4")) = step { EINVAL } else { nil } }
  }

  @Test func aServicePortTheKernelRefusesInALoadKeepsItsPreviousState() throws {
    try load([Fixtures.web(1)])
    let before = kernel.contents(settings.mark)
    refuseThirdEndpoint()
    try programmer.beginLoad()
    #expect(try apply([Fixtures.web(1, endpoints: 3)]).count == 1)
    try programmer.completeLoad()
    #expect(kernel.contents(settings.mark) == before)
    #expect(kernel.servers[webKey]?.weights.values.allSatisfy { $0 == 1 } == true)
    // Nor do the attempts that follow.
    #expect(try apply([Fixtures.web(1, endpoints: 3)]).count == 1)
    #expect(kernel.contents(settings.mark) == before)
    kernel.refuse = { _ in nil }
    #expect(try apply([Fixtures.web(1, endpoints: 3)]).isEmpty)
    #expect(kernel.servers[webKey]?.weights.count == 3)
  }

  @Test func whatAnEarlierRunLeftOfAServicePortTheKernelRefusesStaysUntilItIsRemoved() throws {
    try load([Fixtures.web(1)])
    let before = kernel.contents(settings.mark)
    refuseThirdEndpoint()
    let successor = Programmer(kernel, settings: settings)
    try successor.beginLoad()
    #expect(try apply([Fixtures.web(1, endpoints: 3)], successor).count == 1)
    try successor.completeLoad()
    #expect(kernel.contents(settings.mark) == before)
    for _ in 0..<2 {
      #expect(try apply([Fixtures.web(1, endpoints: 3)], successor).count == 1)
      #expect(kernel.contents(settings.mark) == before)
    }
    #expect(try apply([], removals: [Fixtures.web(1).key], successor).isEmpty)
    #expect(kernel.servers.isEmpty && kernel.elements.isEmpty && kernel.addresses.isEmpty)
  }

  @Test func whatAnEarlierRunLeftGoesWhereTheServicePortNoLongerAsksForIt() throws {
    var service = Fixtures.web(1)
    service.frontends.append(TestFrontend(SWL_PROXY_EXTERNAL_IP, "203.0.113.9", 80))
    try load([service])
    refuseThirdEndpoint()
    let successor = Programmer(kernel, settings: settings)
    try successor.beginLoad()
    service.endpoints.append(TestEndpoint("10.0.1.4", 8080))
    #expect(try apply([service], successor).count == 1)
    try successor.completeLoad()
    #expect(kernel.servers.count == 2)
    #expect(try apply([Fixtures.web(1)], successor).isEmpty)
    #expect(kernel.servers.keys.sorted() == [webKey] && kernel.addresses == [Fixtures.address("10.96.0.2")])
  }

  @Test func whatAKeptServicePortLeavesIsWhollyTheHeirs() throws {
    var service = Fixtures.web(1)
    let external = TestFrontend(SWL_PROXY_EXTERNAL_IP, "203.0.113.9", 80)
    service.frontends.append(external)
    try load([service])
    refuseThirdEndpoint()
    let successor = Programmer(kernel, settings: settings)
    try successor.beginLoad()
    #expect(
      try apply(
        [Fixtures.web(1, endpoints: 3)].map { third in
          var third = third
          third.frontends.append(external)
          return third
        }, successor
      ).count == 1)
    try successor.completeLoad()
    let heir = TestService("default/a:http/TCP/4", [external], [TestEndpoint("10.0.3.3", 1)])
    #expect(try apply([heir, Fixtures.web(1, endpoints: 3)], successor).keys.sorted() == [service.key])
    let served = kernel.servers[.address(Fixtures.frontend("203.0.113.9", 80))]?.weights.filter { $0.value > 0 }
    #expect(served == [Fixtures.real("10.0.3.3", 1): 1])
  }

  /// An external address that is the node's own, at another's node port: the host sees no conflict there.
  @Test func aServicePortThatLosesOneFrontEndInALoadIsNotDrainedAtTheOthers() throws {
    var holder = Fixtures.web(1)
    holder.frontends.append(.nodePort(30_080))
    try load([holder])
    try programmer.beginLoad()
    let thief = TestService(
      "default/a:http/TCP/4", [TestFrontend(SWL_PROXY_EXTERNAL_IP, "192.0.2.1", 30_080)], [TestEndpoint("10.0.3.3", 1)])
    #expect(try apply([thief]).isEmpty)
    #expect(try apply([holder]).keys.sorted() == [holder.key])
    try programmer.completeLoad()
    #expect(kernel.servers[webKey]?.weights.values.allSatisfy { $0 == 1 } == true)
    #expect(!kernel.elements.contains(.frontend(.refuse, Fixtures.frontend("10.96.0.2", 80))))
  }

  /// One address for several service ports, as those of one Service have it.
  @Test func whatIsTakenBackOfOneServicePortStaysForItsSibling() throws {
    try load([])
    refuseThirdEndpoint()
    var sibling = Fixtures.web(1)
    sibling.key = "default/a:other/TCP/4"
    sibling.frontends = [.clusterIP("10.96.0.2", 81)]
    #expect(try apply([sibling, Fixtures.web(1, endpoints: 3)]).keys.sorted() == [Fixtures.web(1).key])
    #expect(kernel.addresses == [Fixtures.address("10.96.0.2")])
    #expect(kernel.servers.keys.sorted() == [.address(Fixtures.frontend("10.96.0.2", 81))])
  }

  @Test func theServerOfAMarkStaysWhenEndpointsElsewhereGo() throws {
    var service = Fixtures.localWeb()
    try load([service])
    let mark = try #require(kernel.servers.keys.first { $0.standsEmpty })
    kernel.active[mark] = [Fixtures.real("10.0.1.2"): 1, Fixtures.real("10.0.2.2"): 1]
    service.endpoints.removeLast()
    try apply([service])
    #expect(kernel.servers[mark]?.weights == [Fixtures.real("10.0.1.2"): 1, Fixtures.real("10.0.2.2"): 0])
  }

  @Test func aServicePortThatFailsDoesNotBlockOthersAndKeepsItsPreviousState() throws {
    try load([Fixtures.web(1, endpoints: 1), Fixtures.web(2, endpoints: 1)])
    let before = kernel.servers[webKey]
    kernel.refuse = { step in
      if case .addReal(_, let real) = step, real == Fixtures.real("10.0.1.4") { ENOMEM } else { nil }
    }
    let failures = try apply([Fixtures.web(1, endpoints: 3), Fixtures.web(2, endpoints: 3)])
    #expect(failures.keys.map { $0 } == ["default/web1:http/TCP/4"])
    #expect(failures.values.first?.message.contains("10.0.1.4:8080") == true)
    #expect(failures.values.first?.osErrno == ENOMEM)
    #expect(kernel.servers[webKey]?.weights.filter { $0.value > 0 } == before?.weights)
    #expect(kernel.servers[.address(Fixtures.frontend("10.96.0.3", 80))]?.weights.count == 3)
    kernel.refuse = { _ in nil }
    #expect(try apply([Fixtures.web(1, endpoints: 3)]).isEmpty)
    #expect(kernel.servers[webKey]?.weights.count == 3)
  }

  @Test func aNewServicePortThatFailsLeavesNothing() throws {
    try load([])
    kernel.refuse = { step in if case .addReal = step { ENOMEM } else { nil } }
    #expect(try apply([Fixtures.web(1)]).count == 1)
    #expect(kernel.servers.isEmpty)
    #expect(kernel.elements.isEmpty)
    #expect(kernel.addresses.isEmpty)
  }

  @Test func aLostAnswerIsARetryAndTheKernelIsReadBeforeTheNextChange() throws {
    try load([Fixtures.web(1)])
    kernel.losesAnswerAfter = 3
    let fault = #expect(throws: BackendFault.self) { try apply([Fixtures.web(1, endpoints: 4), Fixtures.web(2)]) }
    #expect(fault?.status == .retry)
    #expect(try apply([Fixtures.web(1, endpoints: 4), Fixtures.web(2)]).isEmpty)
    #expect(kernel.servers[webKey]?.weights.count == 4)
    #expect(kernel.servers.count == 2)
    #expect(kernel.servers == programmer.mirror.servers)
  }

  @Test func whatSomebodyFlushedIsMadeAgainByTheNextChange() throws {
    try load([Fixtures.web(1), Fixtures.web(2)])
    kernel.flush()
    #expect(try apply([Fixtures.web(1, endpoints: 1)]).isEmpty)
    #expect(kernel.servers[webKey]?.weights.count == 1)
    #expect(kernel.servers.count == 2)
    #expect(kernel.addresses.count == 2)
  }

  // MARK: Others

  @Test(arguments: [true, false])
  func aForeignVirtualServerIsNotTouchedAndTheServicePortIsReported(_ isKnown: Bool) throws {
    kernel.foreign = [webKey]
    kernel.knowsForeign = isKnown
    try programmer.beginLoad()
    let failures = try apply([Fixtures.web(1), Fixtures.web(2)])
    try programmer.completeLoad()
    #expect(failures.keys.map { $0 } == ["default/web1:http/TCP/4"])
    if isKnown { #expect(kernel.taken.allSatisfy { !$0.text.contains("10.96.0.2:80") }) }
    // The kernel takes real servers for whatever virtual server is there.
    #expect(kernel.foreignReals.isEmpty)
    #expect(!kernel.elements.contains(.frontend(.frontends, Fixtures.frontend("10.96.0.2", 80))))
    // When it is gone the service port is programmed.
    kernel.foreign = []
    #expect(try apply([Fixtures.web(1)]).isEmpty)
    #expect(kernel.servers[webKey]?.weights.count == 2)
  }

  @Test func kubeProxysVirtualServerIsTakenOverWithItsConnections() throws {
    let old = Fixtures.real("10.0.1.9")
    kernel.inherited = [webKey: VirtualServer(shape: ServerShape(scheduler: "wlc"), weights: [old: 1, Fixtures.real("10.0.1.2"): 1])]
    try load([Fixtures.web(1)])
    #expect(kernel.servers[webKey]?.shape.scheduler == "rr")
    #expect(kernel.servers[webKey]?.weights == [old: 0, Fixtures.real("10.0.1.2"): 1, Fixtures.real("10.0.1.3"): 1])
    #expect(!kernel.taken.contains { $0.text.hasPrefix("ipvsadm -A") })
  }

  @Test func leftoversInExcludedNetworksStay() throws {
    try load([Fixtures.web(1), Fixtures.web(2)])
    let successor = Programmer(kernel, settings: try Fixtures.settings(["exclude-cidrs": "10.96.0.2/32"]))
    try successor.beginLoad()
    try successor.completeLoad()
    #expect(kernel.servers.keys.map { $0 } == [webKey])
    #expect(kernel.addresses == [Fixtures.address("10.96.0.2")])
  }

  @Test func aMarkIsTheSameAfterARestartAndNeverSomebodyElses() throws {
    var second = Fixtures.localWeb("203.0.113.10")
    second.key = "default/second:http/TCP/4"
    try load([Fixtures.localWeb(), second])
    let marks = programmer.mirror.marks
    #expect(Set(marks.values).count == 2)
    let successor = Programmer(kernel, settings: settings)
    try successor.beginLoad()
    var third = Fixtures.localWeb("203.0.113.11")
    third.key = "default/a-third:http/TCP/4"
    try apply([third, second, Fixtures.localWeb()], successor)
    try successor.completeLoad()
    #expect(successor.mirror.marks.filter { marks[$0.key] != nil } == marks)
    #expect(Set(successor.mirror.marks.values).count == 3)
  }

  @Test func theHostsWishToStopIsHeardBetweenPortions() throws {
    var isCancelled = false
    let programmer = Programmer(kernel, settings: settings, isCancelled: { isCancelled })
    try programmer.beginLoad()
    isCancelled = true
    let fault = #expect(throws: BackendFault.self) { try programmer.apply(try Fixtures.ports([Fixtures.web()])) { _, _ in } }
    #expect(fault?.status == .cancelled)
  }
}
