import Glibc
import IPVS
import PluginAPI
import PluginKit
import ProxyTesting
import Testing

/// Service ports that are removed while somebody is connected, against a model of the kernel.
struct DepartureTests {
  private final class Time {
    var seconds: UInt64 = 1000
  }

  private let kernel = ModelKernel()
  private let time = Time()
  private let programmer: Programmer
  private let frontend = Fixtures.frontend("10.96.0.2", 80)
  private let key = "default/web1:http/TCP/4"
  private var server: ServerKey { .address(frontend) }
  private let first = Fixtures.real("10.0.1.2")
  private let second = Fixtures.real("10.0.1.3")

  init() throws {
    let time = time
    programmer = Programmer(kernel, settings: try Fixtures.settings(), now: { time.seconds })
    try programmer.beginLoad()
    try apply([Fixtures.web(1)])
    try programmer.completeLoad()
  }

  private func apply(_ services: [TestService], removals: [String] = []) throws {
    try programmer.apply(try Fixtures.ports(services) + removals.map { .removal(key: $0) }) { Issue.record("\($0): \($1)") }
  }

  private var isGone: Bool { kernel.servers.isEmpty && kernel.elements.isEmpty && kernel.addresses.isEmpty }
  private var refuses: Bool { kernel.elements.contains(.frontend(.refuse, frontend)) }

  @Test func itsConnectionsGoOnAndNewOnesAreRefused() throws {
    kernel.active[server] = [second: 1]
    try apply([], removals: [key])
    #expect(kernel.servers[server]?.weights == [first: 0, second: 0])
    #expect(refuses)
    #expect(kernel.addresses == [frontend.address])
    #expect(programmer.servicePorts.isEmpty)
    try programmer.workOff()
    #expect(kernel.servers[server]?.weights == [second: 0])
    kernel.active = [:]
    time.seconds += 2
    try programmer.workOff()
    #expect(isGone)
    #expect(programmer.ledger.entries.isEmpty && programmer.departing.isEmpty && programmer.drain.isEmpty)
  }

  /// No client finds a way to what is no longer programmed.
  @Test func nobodyGetsInWhileItGoes() throws {
    kernel.forgetSteps()
    try apply([], removals: [key])
    #expect(isGone)
    let steps = kernel.taken.map(\.phase)
    #expect(kernel.taken.first == .addElement(.frontend(.refuse, frontend)))
    // The virtual server, the front end, the address, the address's element.
    #expect(Array(steps.suffix(4)) == [.lower, .disown, .unbind, .forget])
  }

  /// For who was refused while it still was: see `Programmer.courtesy`.
  @Test func whereSomebodyWasItStaysForASecondTry() throws {
    kernel.closed = 1
    try apply([], removals: [key])
    #expect(refuses && kernel.addresses == [frontend.address])
    kernel.closed = 0
    time.seconds += 1
    try programmer.workOff()
    #expect(refuses && kernel.addresses == [frontend.address])
    time.seconds += 1
    try programmer.workOff()
    #expect(isGone)
  }

  @Test func halfClosedConnectionsGoOnToo() throws {
    kernel.closed = 1
    try apply([], removals: [key])
    try programmer.workOff()
    time.seconds += Drain.closing - 1
    try programmer.workOff()
    #expect(kernel.servers[server]?.weights == [first: 0, second: 0] && refuses)
    time.seconds += 1
    try programmer.workOff()
    #expect(isGone)
  }

  @Test func itIsGoneAfterFifteenMinutesAtTheLatest() throws {
    kernel.active[server] = [first: 7]
    try apply([], removals: [key])
    time.seconds += Drain.limit - 1
    try programmer.workOff()
    #expect(!isGone)
    time.seconds += 1
    try programmer.workOff()
    #expect(isGone)
  }

  @Test func oneThatComesBackServesAtOnce() throws {
    kernel.active[server] = [first: 1]
    try apply([], removals: [key])
    kernel.forgetSteps()
    try apply([Fixtures.web(1)])
    #expect(
      Set(kernel.taken) == [
        .changeReal(server, first, weight: 1), .changeReal(server, second, weight: 1), .removeElement(.frontend(.refuse, frontend)),
      ])
    #expect(programmer.departing.isEmpty && programmer.servicePorts.count == 1)
    kernel.active = [:]
    try programmer.workOff()
    #expect(kernel.servers[server]?.weights == [first: 1, second: 1])
  }

  @Test func removedTwiceItGoesOnce() throws {
    kernel.active[server] = [first: 1]
    try apply([], removals: [key])
    try apply([], removals: [key])
    #expect(kernel.servers[server]?.weights[first] == 0)
    kernel.active = [:]
    time.seconds += 2
    try programmer.workOff()
    #expect(isGone)
  }

  @Test(arguments: [true, false])
  func anotherGetsItsFrontEndWithWhatDrains(_ inTheSameBatch: Bool) throws {
    kernel.active[server] = [first: 1]
    if !inTheSameBatch { try apply([], removals: [key]) }
    let heir = TestService("default/heir:http", [.clusterIP("10.96.0.2", 80)], [TestEndpoint("10.0.3.3", 1)])
    try apply([heir], removals: inTheSameBatch ? [key] : [])
    #expect(!refuses)
    #expect(kernel.servers[server]?.weights == [first: 0, second: 0, Fixtures.real("10.0.3.3", 1): 1])
    #expect(programmer.departing.isEmpty && programmer.servicePorts.keys.sorted() == ["default/heir:http"])
  }

  /// Of one front end; those at the others go on.
  @Test(arguments: [true, false])
  func anHeirOfOneFrontEndCutsNoneAtTheOthers(_ inTheSameBatch: Bool) throws {
    var service = Fixtures.web(1)
    service.frontends.append(.nodePort(30_080))
    try apply([service])
    kernel.active[server] = [first: 1]
    if !inTheSameBatch { try apply([], removals: [key]) }
    let heir = TestService("default/heir:http", [.nodePort(30_080)], [TestEndpoint("10.0.3.3", 1)])
    try apply([heir], removals: inTheSameBatch ? [key] : [])
    #expect(kernel.servers[server]?.weights[first] == 0 && refuses)
    let taken = ServerKey.address(Fixtures.frontend("192.0.2.1", 30_080))
    #expect(kernel.servers[taken]?.weights[Fixtures.real("10.0.3.3", 1)] == 1)
    #expect(!kernel.elements.contains(.frontend(.refuse, Fixtures.frontend("192.0.2.1", 30_080))))
    kernel.active = [:]
    time.seconds += 2
    try programmer.workOff()
    #expect(kernel.servers[server] == nil && !refuses && programmer.departing.isEmpty)
    #expect(kernel.servers[taken] != nil)
  }

  @Test func anHeirThatIsRefusedDoesNotCutThem() throws {
    kernel.active[server] = [first: 1]
    try apply([Fixtures.web(2)])
    try apply([], removals: [key])
    let heir = TestService(
      "default/heir:http", [.clusterIP("10.96.0.2", 80), .clusterIP("10.96.0.3", 80)], [TestEndpoint("10.0.3.3", 1)])
    var failures: [String] = []
    try programmer.apply(try Fixtures.ports([heir])) { key, _ in failures.append(key) }
    #expect(failures == ["default/heir:http"])
    #expect(kernel.servers[server]?.weights[first] == 0 && refuses)
    #expect(programmer.departing.keys.sorted() == [key])
  }

  @Test func aFullLoadWithoutItDoesNotCutThemEither() throws {
    kernel.active[server] = [first: 1]
    try programmer.beginLoad()
    try apply([Fixtures.web(2)])
    try programmer.completeLoad()
    #expect(kernel.servers[server]?.weights[first] == 0 && refuses)
    // Nor does the next.
    try programmer.beginLoad()
    try apply([Fixtures.web(2)])
    try programmer.completeLoad()
    #expect(kernel.servers[server]?.weights[first] == 0 && refuses)
    kernel.active = [:]
    time.seconds += 2
    try programmer.workOff()
    #expect(kernel.servers.count == 1 && !refuses)
    #expect(programmer.servicePorts.count == 1 && programmer.departing.isEmpty)
  }

  @Test(arguments: [UInt8(17), 132])
  func udpAndSCTPGoAtOnce(_ proto: UInt8) throws {
    var service = Fixtures.web(2)
    service.proto = proto
    try apply([service], removals: [key])
    kernel.active[.address(Fixtures.frontend("10.96.0.3", 80, proto))] = [Fixtures.real("10.0.2.2"): 1]
    try apply([], removals: [service.key])
    #expect(isGone)
  }

  @Test func nearClientsKeepTheirConnectionsToo() throws {
    try apply([Fixtures.localWeb()], removals: [key])
    let mark = try #require(kernel.servers.keys.first { $0.standsEmpty })
    kernel.active[mark] = [Fixtures.real("10.0.2.2"): 1]
    try apply([], removals: [Fixtures.localWeb().key])
    #expect(kernel.servers[mark]?.weights[Fixtures.real("10.0.2.2")] == 0)
    kernel.active = [:]
    time.seconds += 2
    try programmer.workOff()
    #expect(isGone)
  }

  /// A set that is full is no reason to serve on.
  @Test func whereNobodyCanBeRefusedItGoesAtOnce() throws {
    kernel.active[server] = [first: 1]
    kernel.refuse = { step in if case .addElement = step { ENOMEM } else { nil } }
    try apply([], removals: [key])
    #expect(isGone)
    #expect(programmer.ledger.entries.isEmpty && programmer.departing.isEmpty)
  }

  @Test func whereAFullLoadCannotRefuseItGoesAtOnceToo() throws {
    kernel.active[server] = [first: 1]
    kernel.refuse = { step in if case .addElement = step { ENOMEM } else { nil } }
    try programmer.beginLoad()
    try programmer.completeLoad()
    #expect(isGone)
    #expect(programmer.ledger.entries.isEmpty && programmer.departing.isEmpty)
  }

  @Test func whatALostAnswerLeftOfItGoesWithoutAnotherChange() throws {
    kernel.active[server] = [first: 1]
    try apply([], removals: [key])
    kernel.active = [:]
    time.seconds += 2
    // Two real servers and the virtual server; then the rest, of which one step is taken.
    kernel.losesAnswerAfter = 4
    #expect(throws: BackendFault.self) { try programmer.workOff() }
    #expect(!isGone)
    try programmer.settle()
    #expect(isGone)
    #expect(programmer.ledger.entries.isEmpty && programmer.departing.isEmpty && programmer.drain.isEmpty)
  }

  /// Somebody deleted the interface, and iptables-restore hangs while it is made again.
  @Test func whatCouldNotBeLookedAtGoesWithoutAnotherChange() throws {
    kernel.active[server] = [first: 1]
    try apply([], removals: [key])
    kernel.active = [:]
    time.seconds += 2
    kernel.refuse = { step in if case .unbind = step { ENODEV } else { nil } }
    kernel.layFault = BackendFault(.retry, "iptables-restore: killed", errno: ETIMEDOUT)
    #expect(throws: BackendFault.self) { try programmer.workOff() }
    kernel.refuse = { _ in nil }
    kernel.layFault = nil
    try programmer.settle()
    #expect(isGone)
  }

  /// The changes of the batch are made when the rest of what it removed goes.
  @Test func anAnswerThatIsLostAtTheEndFailsNoBatch() throws {
    // Steps until it is drained, and one of those that follow.
    kernel.losesAnswerAfter = 4
    try apply([], removals: [key])
    #expect(!isGone && kernel.losesAnswerAfter == nil)
    #expect(programmer.servicePorts.isEmpty)
    try programmer.settle()
    #expect(isGone)
  }

  @Test func aLostAnswerLeavesItWhatItWas() throws {
    kernel.active[server] = [first: 1]
    kernel.losesAnswerAfter = 2
    #expect(throws: BackendFault.self) { try apply([], removals: [key]) }
    #expect(programmer.servicePorts.count == 1 && programmer.departing.isEmpty)
    try apply([], removals: [key])
    #expect(programmer.departing.keys.sorted() == [key])
    kernel.active = [:]
    time.seconds += 2
    try programmer.workOff()
    #expect(isGone)
  }

  @Test func nearClientsOfNobodyAreRefused() throws {
    var service = Fixtures.localWeb()
    try apply([service], removals: [key])
    service.endpoints = []
    try apply([service])
    let mark = try #require(kernel.servers.keys.first { $0.standsEmpty })
    #expect(kernel.servers[mark]?.weights.values.contains { $0 > 0 } == false)
    #expect(kernel.elements.contains(.frontend(.drop, Fixtures.frontend("203.0.113.9", 80))))
    // It stays when nothing drains any more.
    try programmer.workOff()
    #expect(kernel.servers[mark]?.weights == [:])
    try apply([Fixtures.localWeb()])
    #expect(kernel.servers[mark]?.weights.count == 2)
  }
}
