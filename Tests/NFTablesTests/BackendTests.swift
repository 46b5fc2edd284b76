import NFTables
import PluginAPI
import PluginKit
import ProxyTesting
import Testing

/// What the backend takes, refuses and how much it sends, against a kernel that agrees to everything.
struct BackendTests {
  private let kernel = ScriptedKernel()

  private func make(_ configuration: [String: String] = [:]) throws(BackendFault) -> NFTablesBackend {
    let kernel = kernel
    return try NFTablesBackend(host: HostServices(testing: { _, _ in }), configuration: configuration) {
      () throws(TransportFault) in kernel
    }
  }

  private func loaded(_ services: [TestService] = []) throws -> NFTablesBackend {
    let backend = try make()
    try backend.start()
    #expect(try backend.sync(.full(services)).isEmpty)
    return backend
  }

  @Test(arguments: [
    (["colour": "blue"], "colour"), (["masquerade-bit": "32"], "masquerade-bit"), (["masquerade-bit": "x"], "masquerade-bit"),
    (["cluster-cidrs": "10.0.0.0/8,nonsense"], "nonsense"), (["nodeport-cidrs": "10.0.0.0/64"], "nodeport-cidrs"),
    (["service-cidrs": "10.96.0.0"], "service-cidrs"), (["drop-invalid": "yes"], "drop-invalid"),
    (["localhost-nodeports": ""], "localhost-nodeports"), (["pod-interface": ""], "pod-interface"),
    (["pod-interface": "a-name-that-is-too-long"], "pod-interface"), (["pod-interface-prefix": "veth/"], "pod-interface-prefix"),
    (["pod-interface": "cni0", "cluster-cidrs": "10.0.0.0/8"], "only one of"),
    (["pod-interface": "cni0", "pod-interface-prefix": "veth"], "only one of"),
  ])
  func aConfigurationThatMakesNoSenseIsRefusedByName(_ configuration: [String: String], _ name: String) {
    do {
      _ = try make(configuration)
      Issue.record("accepted")
    } catch {
      #expect(error.status == .invalid)
      #expect(error.message.contains(name))
    }
  }

  @Test func nodePortsOnLoopbackAreNotSupported() throws {
    let fault = #expect(throws: BackendFault.self) { try make(["localhost-nodeports": "true"]) }
    #expect(fault?.status == .unsupported)
    #expect(fault?.message.contains("localhost-nodeports") == true)
    _ = try make(["localhost-nodeports": "false", "drop-invalid": "false", "cluster-cidrs": "", "pod-interface": "cni0"])
  }

  @Test func aChangeBeforeTheFirstLoadIsRefused() throws {
    let backend = try make()
    #expect(throws: BackendFault.self) { try backend.sync(TestBatch([Fixtures.web()])) }
    try backend.start()
    let fault = #expect(throws: BackendFault.self) { try backend.sync(TestBatch([Fixtures.web()])) }
    #expect(fault?.status == .retry)
    #expect(kernel.batches.isEmpty)
    backend.stop()
    #expect(throws: BackendFault.self) { try backend.sync(.full([])) }
  }

  /// Each with a word of the reason.
  private static let faulty: [(TestService, String)] = {
    var affinity = Fixtures.web()
    affinity.affinitySeconds = 200_000
    var range = Fixtures.web()
    range.sourceRanges = ["fd00::/16"]
    var noPort = Fixtures.web()
    noPort.endpoints[0].port = 0
    var otherFamily = Fixtures.web()
    otherFamily.endpoints[0].address = "fd00::1"
    var frontend = Fixtures.web()
    frontend.frontends[0].address = "fd00::1"
    var proto = Fixtures.web()
    proto.proto = 1
    var family = Fixtures.web()
    family.family = 5
    var selection = Fixtures.web()
    selection.frontends[0].selection = 9
    var masquerade = Fixtures.web()
    masquerade.frontends[0].masquerade = -1
    var answer = Fixtures.web(endpoints: 0)
    answer.frontends[0].whenEmpty = 9
    return [
      (affinity, "session affinity for more than 131071 seconds"), (range, "source range"), (noPort, "endpoint"), (otherFamily, "endpoint"),
      (frontend, "front end"), (proto, "protocol 1"), (family, "family"), (selection, "selection"), (masquerade, "masquerade"),
      (answer, "answer"),
    ]
  }()

  @Test(arguments: faulty)
  func aServicePortThatCannotBeIsReportedAndTheOthersAreProgrammed(_ service: TestService, _ reason: String) throws {
    let backend = try loaded()
    let failures = try backend.sync(TestBatch([service, Fixtures.web(2)]))
    #expect(failures.count == 1)
    #expect(failures[service.key]?.message.contains(reason) == true)
    #expect(kernel.batches.count > 1)
  }

  @Test func aFrontEndHeldByAnotherIsReported() throws {
    let backend = try loaded([Fixtures.web(1)])
    var thief = Fixtures.web(1)
    thief.key = "default/thief:http/TCP/4"
    let count = kernel.batches.count
    let failures = try backend.sync(TestBatch([thief]))
    #expect(failures[thief.key]?.message.contains("10.96.0.2 . tcp . 80 is held by default/web1:http/TCP/4") == true)
    #expect(kernel.batches.count == count)
    // Two in one batch: the first has it.
    let other = Fixtures.web(7)
    var rival = other
    rival.key = "default/rival:http/TCP/4"
    #expect(try backend.sync(TestBatch([other, rival])).keys.map { $0 } == [rival.key])
    // The holder keeps it, wherever it stands in the batch.
    #expect(try backend.sync(TestBatch([thief, Fixtures.web(1, endpoints: 3)])).keys.map { $0 } == [thief.key])
    // When the holder lets go in the same batch, it is no conflict.
    #expect(try backend.sync(TestBatch([thief], removals: [Fixtures.web(1).key])).isEmpty)
  }

  @Test func removingWhatIsNotThereIsNothing() throws {
    let backend = try loaded([Fixtures.web(1)])
    let count = kernel.batches.count
    #expect(try backend.sync(TestBatch(removals: ["default/none:http/TCP/4"])).isEmpty)
    #expect(try backend.sync(TestBatch([Fixtures.web(1)])).isEmpty)
    #expect(kernel.batches.count == count)
  }

  @Test func aLargeLoadIsCutIntoBoundedTransactions() throws {
    let services = (0..<5000).map { Fixtures.web($0, endpoints: 3) }
    _ = try loaded(services)
    #expect(kernel.batches.count >= 5)
    // An element with its key and value needs less than 100 bytes.
    let largest = kernel.batches.map(\.count).max() ?? 0
    #expect(largest < Programmer.transactionLimit * 100)
  }

  @Test func aLargeRemovalIsCutIntoBoundedTransactions() throws {
    let services = (0..<1000).map { Fixtures.web($0, endpoints: 20) }
    let backend = try loaded(services)
    let count = kernel.batches.count
    try backend.sync(TestBatch(removals: services.map(\.key)))
    #expect(kernel.batches.count - count >= 5)
  }

  @Test func whatAChangeSendsDoesNotGrowWithTheNumberOfServices() throws {
    var sizes: [Int] = []
    for count in [10, 3000] {
      let kernel = ScriptedKernel()
      let backend = try NFTablesBackend(host: HostServices(testing: { _, _ in }), configuration: [:]) {
        () throws(TransportFault) in kernel
      }
      try backend.start()
      try backend.sync(.full((0..<count).map { Fixtures.web($0) }))
      let before = kernel.batches.count
      try backend.sync(TestBatch([Fixtures.web(5, endpoints: 1)]))
      sizes.append(kernel.batches.dropFirst(before).reduce(0) { $0 + $1.count })
    }
    #expect(sizes[0] == sizes[1])
    #expect(sizes[0] < 1500)
  }

  @Test func theHostsWishToStopIsHeardBetweenTransactions() throws {
    let connection = NetlinkConnection(kernel)
    var isCancelled = false
    let programmer = Programmer(connection, settings: Settings(), isCancelled: { isCancelled })
    try programmer.beginLoad()
    isCancelled = true
    let changes = Fixtures.ports((0..<3000).map { Fixtures.web($0, endpoints: 3) })
    let fault = #expect(throws: BackendFault.self) { try programmer.apply(changes) { _, _ in } }
    #expect(fault?.status == .cancelled)
  }

  /// Between a packet's two look-ups a commit may come: it would reach its own sender unhidden, and so would each of its retries.
  @Test func aPodsAddressGoesOnlyWhenNoPacketIsOnItsWayAnyMore() throws {
    let kernel = ScriptedKernel()
    var waits: [Int] = []
    let programmer = Programmer(NetlinkConnection(kernel), settings: Settings(), awaitPackets: { waits.append(kernel.batches.count) })
    func web(_ endpoints: [TestEndpoint]) -> [Change] {
      Fixtures.ports([TestService("default/web:http/TCP/4", [.clusterIP("10.96.0.1", 80)], endpoints)])
    }
    func namesPods(_ batch: [UInt8]) -> Bool { String(decoding: batch, as: UTF8.self).contains("hairpin") }
    let other = TestEndpoint("10.0.2.2", 8080)
    try programmer.beginLoad()
    try programmer.apply(web([.onNode("10.0.1.2", 8080), other])) { Issue.record("\($0): \($1)") }
    try programmer.completeLoad()
    #expect(waits == [])
    let before = kernel.batches.count
    try programmer.apply(web([other])) { Issue.record("\($0): \($1)") }
    #expect(waits == [kernel.batches.count - 1])
    #expect(kernel.batches.last.map(namesPods) == true)
    #expect(!kernel.batches[before..<(kernel.batches.count - 1)].contains(where: namesPods))
    // Nothing of the kind for those that run elsewhere.
    try programmer.apply(web([])) { Issue.record("\($0): \($1)") }
    #expect(waits.count == 1)
  }
}
