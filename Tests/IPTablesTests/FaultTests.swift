import Glibc
import IPTables
import PluginAPI
import PluginKit
import ProxyTesting
import Testing

/// The tool says no, says nothing, or stops in the middle.
struct FaultTests {
  private let tool = ModelTool()

  private func loaded(_ services: [TestService] = []) throws -> IPTablesBackend {
    let backend = try Fixtures.backend(tool)
    try backend.start()
    try backend.sync(.full(services))
    return backend
  }

  private static let denied =
    "iptables-nft-restore v1.8.9 (nf_tables): Could not fetch rule set generation id: Permission denied (you must be root)\n"
  private static let locked = "Another app is currently holding the xtables lock. Stopped waiting after 5s.\n"

  private static let failures: [(Int32, String, BackendFault.Status)] = [
    (4, locked, .retry), (1, denied, .denied), (111, "Fatal: can't open lock file /run/xtables.lock: Permission denied\n", .denied),
    (1, "iptables: Resource temporarily unavailable.\n", .retry), (1, "iptables-restore: Memory allocation problem.\n", .retry),
  ]

  @Test(arguments: failures)
  func aFailureThatIsNoServicesFaultFailsTheBatch(_ status: Int32, _ errors: String, _ expected: BackendFault.Status) throws {
    let backend = try loaded([Fixtures.web(1)])
    let before = tool.contents(.nft)
    tool.deeds = [.fail(status: status, errors: errors)]
    let fault = #expect(throws: BackendFault.self) { try backend.sync(TestBatch([Fixtures.web(2)])) }
    #expect(fault?.status == expected)
    #expect(fault?.message.contains(errors.prefix(30)) == true)
    #expect(tool.contents(.nft) == before)
    #expect(try backend.sync(TestBatch([Fixtures.web(2)])).isEmpty)
    #expect(tool.contents(.nft) != before)
  }

  @Test func aHungToolLeavesThePreviousStateAndIsRetried() throws {
    let backend = try loaded([Fixtures.web(1)])
    let before = tool.contents(.nft)
    tool.deeds = [.hang]
    let fault = #expect(throws: BackendFault.self) { try backend.sync(TestBatch([Fixtures.web(1, endpoints: 0)])) }
    #expect(fault?.status == .retry)
    #expect(fault?.message.contains("did not end within 60 s") == true)
    #expect(tool.contents(.nft) == before)
    // Killed between two tables: what it committed is found out before anything else is done.
    tool.deeds = [.hangAfterFirstTable]
    #expect(throws: BackendFault.self) { try backend.sync(TestBatch([Fixtures.web(1, endpoints: 0)])) }
    #expect(tool.contents(.nft) != before)
    try backend.sync(TestBatch([Fixtures.web(2)]))
    let fresh = ModelTool()
    let other = try Fixtures.backend(fresh)
    try other.start()
    try other.sync(.full([Fixtures.web(1), Fixtures.web(2)]))
    #expect(tool.contents(.nft) == fresh.contents(.nft))
  }

  private static func load(_ services: [TestService]) -> [TestBatch] {
    [TestBatch([services[0]], flags: SWL_PROXY_BATCH_RESET), TestBatch([services[1]], flags: SWL_PROXY_BATCH_COMPLETE)]
  }

  /// As the host may, it tells of the last batch once more and not of those before.
  @Test func aLegacyLoadThatFailsAtItsEndForgetsNothing() throws {
    let services = [Fixtures.web(1), Fixtures.web(2)]
    let load = Self.load(services)
    let backend = try Fixtures.backend(tool, .legacy)
    try backend.start()
    try backend.sync(load[0])
    tool.deeds = [.fail(status: 4, errors: Self.locked)]
    #expect(throws: BackendFault.self) { try backend.sync(load[1]) }
    #expect(try backend.sync(load[1]).isEmpty)
    let fresh = ModelTool()
    let other = try Fixtures.backend(fresh, .legacy)
    try other.start()
    try other.sync(.full(services))
    #expect(tool.contents(.legacy) == fresh.contents(.legacy))
  }

  /// Rules that refuse what has no front end would refuse what is not restored yet.
  @Test func afterAFlushNothingLeadsToRulesThatAreNotAllThere() throws {
    let services = [Fixtures.web(1), Fixtures.web(2)]
    let backend = try loaded(services)
    let before = tool.contents(.nft)
    tool.tables["iptables-nft"] = [:]
    let load = Self.load(services)
    try backend.sync(load[0])
    #expect(tool.contents(.nft)["iptables-nft nat PREROUTING"] ?? [] == [])
    try backend.sync(load[1])
    #expect(tool.contents(.nft) == before)
  }

  @Test func oneFaultyServicePortDoesNotStopTheOthers() throws {
    let backend = try loaded([Fixtures.web(3)])
    tool.poison = "10.0.3.2:8080"
    var changed = Fixtures.web(3)
    changed.frontends.append(.nodePort(30003))
    let failures = try backend.sync(TestBatch([Fixtures.web(1), changed, Fixtures.web(2), Fixtures.web(4)]))
    #expect(failures.isEmpty)
    changed.endpoints.removeLast()
    let later = try backend.sync(TestBatch([Fixtures.web(1, endpoints: 1), changed, Fixtures.web(5)]))
    #expect(later.keys.sorted() == [changed.key])
    let words = later[changed.key]?.message ?? ""
    #expect(words.contains("Invalid argument"))
    #expect(words.contains("-A SWIFTLET-CH-"))
    #expect(words.contains("10.0.3.2:8080"))
    // Its previous state stands, with the node port.
    tool.poison = nil
    changed.endpoints = Fixtures.web(3).endpoints
    let fresh = ModelTool()
    let other = try Fixtures.backend(fresh)
    try other.start()
    try other.sync(.full([Fixtures.web(1, endpoints: 1), Fixtures.web(2), changed, Fixtures.web(4), Fixtures.web(5)]))
    #expect(tool.contents(.nft) == fresh.contents(.nft))
  }

  @Test func aServicePortThatFailsInAFullLoadKeepsWhatAnEarlierRunLeft() throws {
    let rich = Fixtures.rich(4, affinity: 60)
    _ = try loaded([rich, Fixtures.web(200)])
    let before = tool.contents(.nft)
    var broken = rich
    broken.endpoints[0].port = 0
    let next = try Fixtures.backend(tool)
    try next.start()
    #expect(try next.sync(.full([broken, Fixtures.web(200)])).keys.sorted() == [rich.key])
    #expect(tool.contents(.nft) == before)
    #expect(try next.sync(TestBatch(removals: [rich.key, Fixtures.web(200).key])).isEmpty)
    let fresh = ModelTool()
    let other = try Fixtures.backend(fresh)
    try other.start()
    try other.sync(.full([]))
    #expect(tool.contents(.nft) == fresh.contents(.nft))
  }

  @Test func rulesSomebodyRemovedAreMadeAgainBeforeAChange() throws {
    let backend = try loaded([Fixtures.web(1), Fixtures.web(2)])
    let good = tool.contents(.nft)
    tool.tables["iptables-nft"]?["nat"] = nil
    #expect(try backend.sync(TestBatch(removals: [Fixtures.web(2).key])).isEmpty)
    #expect(try backend.sync(TestBatch([Fixtures.web(2)])).isEmpty)
    #expect(tool.contents(.nft) == good)
  }

  @Test func aTruncatedSaveIsNotTakenForTheTruth() throws {
    let backend = try loaded([Fixtures.web(1)])
    let before = tool.contents(.nft)
    tool.deeds = [.truncate]
    let fault = #expect(throws: BackendFault.self) { try backend.sync(.full([Fixtures.web(1)])) }
    #expect(fault?.status == .retry)
    #expect(tool.contents(.nft) == before)
  }

  @Test func aMachineWithoutIPv6StillHasIPv4Services() throws {
    tool.installed = ["iptables-nft-restore", "iptables-nft-save"]
    let backend = try Fixtures.backend(tool)
    try backend.probe()
    try backend.start()
    let failures = try backend.sync(.full([Fixtures.web(1), Fixtures.rich(6)]))
    #expect(failures.keys.sorted() == [Fixtures.rich(6).key])
    #expect(failures.values.first?.status == .unsupported)
  }

  // MARK: - Real children

  private func run(_ script: String, input: String = "", deadline: Int = 10) -> ToolOutcome {
    ChildProcess(deadline: deadline).run(ToolCall("sh", ["-c", script], input: input))
  }

  @Test func aChildIsFedAndHeardWhateverTheSizes() {
    let large = String(repeating: "x", count: 3_000_000)
    #expect(run("cat; echo words >&2; exit 3", input: large) == .exited(status: 3, output: large, errors: "words\n"))
    // One that reads nothing and ends.
    #expect(run("exec 0<&-; exit 2", input: large) == .exited(status: 2, output: "", errors: ""))
    #expect(run("kill -9 $$") == .killed(signal: SIGKILL, errors: ""))
    #expect(ChildProcess().run(ToolCall("no-such-tool", [])) == .missing)
  }

  @Test func aChildThatHangsIsKilled() {
    #expect(run("exec sleep 100", deadline: 1) == .hung(seconds: 1))
    #expect(run("exec 1>&- 2>&-; exec sleep 100", deadline: 1) == .hung(seconds: 1))
  }
}
