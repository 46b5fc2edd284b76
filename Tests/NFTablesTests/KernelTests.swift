import CNamespace
import Glibc
import NFTables
import PluginAPI
import PluginKit
import ProxyTesting
import Testing

/// The real nf_tables in a network namespace of its own. Needs root; fails without it.
@Suite(.serialized, .blocking) struct KernelTests {
  private let namespace: NetworkNamespace

  init() throws { namespace = try NetworkNamespace() }

  private func start(_ configuration: [String: String] = Fixtures.configuration, meddling: Meddler? = nil) throws -> NFTablesBackend {
    try start(in: namespace, configuration, meddling: meddling)
  }

  private func start(in namespace: NetworkNamespace, _ configuration: [String: String] = Fixtures.configuration, meddling: Meddler? = nil)
    throws
    -> NFTablesBackend
  {
    try namespace.run {
      let backend = try NFTablesBackend(host: HostServices(testing: { _, _ in }), configuration: configuration) {
        () throws(TransportFault) in
        let socket = try NetlinkSocket()
        guard let meddling else { return socket }
        meddling.socket = socket
        return meddling
      }
      try backend.start()
      return backend
    }
  }

  private func read(_ namespace: NetworkNamespace? = nil) throws -> [KernelTable] {
    try (namespace ?? self.namespace).run {
      let readback = Readback(NetlinkConnection(try NetlinkSocket()))
      return try Family.allCases.map { try readback.table($0) }
    }
  }

  private func expectEqual(_ left: [KernelTable], _ right: [KernelTable]) {
    for (one, other) in zip(left, right) {
      #expect(one.frontends.mapValues(\.sorted) == other.frontends.mapValues(\.sorted))
      #expect(one.hairpins == other.hairpins)
      #expect(one.strays == other.strays)
      #expect(one.isCompatible && other.isCompatible)
      for (key, state) in one.frontends {
        guard let serviceClass = state.serviceClass else { continue }
        #expect(one.classes[ClassReference(serviceClass, isNodePort: key.isNodePort)] == true)
      }
    }
  }

  private func nft(_ command: String) throws { try Command.run("nft", "-f", "-", in: namespace, input: command + "\n") }

  @Test(arguments: 0..<4)
  func aRandomHistoryLeavesWhatAFullLoadMakes(_ seed: Int) throws {
    var generator = SplitMix(state: UInt64(seed &+ 100))
    var existing: [String: TestService] = [:]
    let backend = try start()
    try backend.sync(.full([]))
    for step in 0..<40 {
      #expect(try backend.sync(Fixtures.randomBatch(&existing, using: &generator)).isEmpty)
      if step == 20 {
        // A restart in the middle adopts what stands.
        backend.stop()
        try namespace.run { try backend.start() }
        #expect(try backend.sync(.full(existing.values.sorted { $0.key < $1.key })).isEmpty)
      }
    }
    let fresh = try NetworkNamespace()
    let other = try start(in: fresh)
    #expect(try other.sync(.full(existing.values.sorted { $0.key > $1.key })).isEmpty)
    expectEqual(try read(), try read(fresh))
    _ = try Command.run("nft", "list", "ruleset", in: namespace)
  }

  @Test func aSecondLoadOfTheSameSendsNothing() throws {
    let services = (1...50).map { Fixtures.web($0) }
    try start().sync(.full(services))
    let meddler = Meddler()
    let again = try start(meddling: meddler)
    #expect(try again.sync(.full(services)).isEmpty)
    #expect(meddler.batches == 0)
  }

  @Test(arguments: [
    "delete table ip swiftlet", "flush ruleset", "flush map ip swiftlet endpoints",
    "delete element ip swiftlet service_ips { 10.96.0.2 . tcp . 80 }", "flush set ip6 swiftlet hairpin",
    "flush chain ip swiftlet services", "add element ip swiftlet service_ips { 10.96.0.9 . tcp . 80 : 0x2 }",
    "add chain ip swiftlet mine; add rule ip swiftlet nat_output accept",
    "delete table ip6 swiftlet; add table ip6 swiftlet", "flush map ip swiftlet classes",
  ])
  func whatOthersDoToTheTableIsUndoneByAFullLoad(_ deed: String) throws {
    let services = (1...5).map { Fixtures.web($0) }
    let backend = try start()
    try backend.sync(.full(services))
    let before = try read()
    try nft(deed)
    #expect(try backend.sync(.full(services)).isEmpty)
    let after = try read()
    expectEqual(before, after)
    #expect(before.map(\.chains) == after.map(\.chains))
  }

  @Test(arguments: ["delete table ip swiftlet", "flush ruleset", "flush map ip swiftlet service_ips; flush map ip swiftlet endpoints"])
  func aChangeThatMeetsADamagedTableRepairsAllOfIt(_ deed: String) throws {
    let backend = try start()
    try backend.sync(.full((1...5).map { Fixtures.web($0) }))
    try nft(deed)
    #expect(try backend.sync(TestBatch([Fixtures.web(2, endpoints: 1)])).isEmpty)
    let tables = try read()
    #expect(tables[0].frontends.count == 5)
    #expect(tables[0].frontends.values.map(\.endpoints.count).sorted() == [1, 2, 2, 2, 2])
  }

  @Test func aTableOfAnotherLayoutStaysUntilTheLoadIsComplete() throws {
    try nft("table ip swiftlet { comment \"layout 0\"; map endpoints { type mark : verdict; }; chain old { accept; }; }")
    let meddler = Meddler()
    let backend = try start(meddling: meddler)
    try backend.sync(TestBatch([Fixtures.web(1)], flags: SWL_PROXY_BATCH_RESET))
    #expect(try Command.run("nft", "list", "table", "ip", "swiftlet", in: namespace).contains("layout 0"))
    try backend.sync(TestBatch([Fixtures.web(2)], flags: SWL_PROXY_BATCH_COMPLETE))
    let tables = try read()
    #expect(tables[0].isCompatible)
    #expect(tables[0].frontends.count == 2)
    #expect(tables[0].chains["old"] == nil)
    // And changes go on as ever.
    #expect(try backend.sync(TestBatch(removals: [Fixtures.web(1).key])).isEmpty)
    #expect(try read()[0].frontends.count == 1)
  }

  @Test func anotherConfigurationRewritesTheChainsAndLeavesTheElements() throws {
    try start().sync(.full([Fixtures.web(1)]))
    let elements = try read()
    let backend = try start(["masquerade-bit": "3", "nodeport-cidrs": "192.0.2.0/24"])
    try backend.sync(.full([Fixtures.web(1)]))
    expectEqual(elements, try read())
    let list = try Command.run("nft", "list", "ruleset", in: namespace)
    #expect(list.contains("192.0.2.0/24"))
    #expect(list.contains("0x00000008"))
    #expect(!list.contains("0x00004000"))
  }

  /// The kernel did it and the answer is lost; or it did not and the answer says nothing about it.
  @Test(arguments: [Meddler.Deed.loseAnswer(EAGAIN), .loseAnswer(ENOBUFS), .swallow, .refuse(EEXIST)])
  func afterALostAnswerTheKernelHasWhatIsWanted(_ deed: Meddler.Deed) throws {
    let meddler = Meddler()
    let backend = try start(meddling: meddler)
    try backend.sync(.full((1...3).map { Fixtures.web($0) }))
    for number in [2, 3] {
      meddler.deeds = [deed]
      #expect(try backend.sync(TestBatch([Fixtures.web(number, endpoints: 1)], removals: [Fixtures.web(1).key])).isEmpty)
    }
    let fresh = try NetworkNamespace()
    try start(in: fresh).sync(.full([Fixtures.web(2, endpoints: 1), Fixtures.web(3, endpoints: 1)]))
    expectEqual(try read(), try read(fresh))
  }

  @Test func aFailedServicePortKeepsWhatItHad() throws {
    let backend = try start()
    try backend.sync(.full([Fixtures.web(1), Fixtures.web(2)]))
    let before = try read()
    var affinity = Fixtures.web(1)
    affinity.affinitySeconds = 200_000
    affinity.endpoints = []
    #expect(try backend.sync(TestBatch([affinity])).count == 1)
    expectEqual(before, try read())
    // In a full load too, though nothing is remembered of it.
    let next = try start()
    #expect(try next.sync(.full([affinity, Fixtures.web(2)])).count == 1)
    expectEqual(before, try read())
    #expect(try next.sync(TestBatch(removals: [affinity.key])).isEmpty)
    #expect(try read()[0].frontends.count == 1)
  }

  @Test func unusedChainsAreKeptInReserveButNotWithoutBound() throws {
    let backend = try start()
    try backend.sync(.full([]))
    for count in 1...100 { try backend.sync(TestBatch([Fixtures.web(1, endpoints: count)])) }
    let table = try read()[0]
    #expect(table.classes.count < 40)
    #expect(table.chains.keys.filter { $0.hasPrefix("endpoints_") }.count == table.classes.count)
  }

  @Test func withoutPrivilegesTheProbeSaysSo() throws {
    // A thread's own credentials: the process stays root.
    try namespace.run {
      let backend = try NFTablesBackend(host: HostServices(testing: { _, _ in }), configuration: [:])
      guard swl_drop_thread_to_nobody() == 0 else { throw SystemError("setresuid") }
      do {
        try backend.probe()
        Issue.record("probed without privileges")
      } catch {
        #expect((error as? BackendFault)?.status == .denied)
      }
    }
  }
}
