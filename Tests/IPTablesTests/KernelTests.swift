import CNamespace
import Glibc
import IPTables
import PluginAPI
import PluginKit
import ProxyTesting
import Testing

/// The real tools and kernel in a network namespace of its own. Needs root; fails without it.
@Suite(.serialized, .blocking) struct KernelTests {
  private let namespace: NetworkNamespace
  /// Not the machine's, which tests beside this one open and wait for.
  private let lockFile = LockFile()

  init() throws { namespace = try NetworkNamespace() }

  private func start(_ variant: Variant, _ configuration: [String: String] = Fixtures.configuration, in other: NetworkNamespace? = nil)
    throws -> IPTablesBackend
  {
    try (other ?? namespace).run {
      let backend = try Fixtures.backend(ChildProcess(lockFile: lockFile.path), variant, configuration)
      try backend.start()
      return backend
    }
  }

  /// Programs run in the namespace of the thread, as the host sees to it.
  @discardableResult
  private func sync(_ backend: IPTablesBackend, _ batch: TestBatch, in other: NetworkNamespace? = nil) throws -> [String: BackendFault] {
    try (other ?? namespace).run { try backend.sync(batch) }
  }

  private func read(_ variant: Variant, _ other: NetworkNamespace? = nil) throws -> [KernelRules] {
    try Family.allCases.map { family in
      let words = "\(family.toolPrefix)-\(variant.rawValue)-save"
      var rules = KernelRules(SavedRules(try Command.run(words, in: other ?? namespace)))
      rules.chains = Dictionary(
        uniqueKeysWithValues: rules.chains.map { id, texts in
          (id, Layout.shared.contains(id) || ChainName.isBucket(id.name) ? texts.sorted() : texts)
        })
      return rules
    }
  }

  private func restore(_ variant: Variant, _ text: String, family: String = "iptables") throws {
    let tool = "\(family)-\(variant.rawValue)-restore"
    try Command.run("env", "XTABLES_LOCKFILE=\(lockFile.path)", tool, "--noflush", in: namespace, input: text)
  }

  private func damage(_ backend: IPTablesBackend, thorough: Bool) throws -> [String] {
    var lines: [String] = []
    try namespace.run { try backend.examine(thorough: thorough) { lines.append($0) } }
    return lines
  }

  private func isReadable(_ descriptor: Int32, within milliseconds: Int32 = 0) -> Bool {
    var state = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return poll(&state, 1, milliseconds) == 1
  }

  /// All last bits of an address, both families, both kinds of rule.
  private var everyBucket: [TestService] {
    (0..<64).flatMap { number in
      [
        TestService("default/four\(number):x/TCP/4", [.clusterIP("10.96.7.\(number)", 80)], [TestEndpoint("10.0.1.2", 80)]),
        TestService(
          "default/six\(number):x/UDP/6", family: 6, proto: 17, [.clusterIP("fd00:96::\(String(number + 64, radix: 16))", 80)], []),
      ]
    }
  }

  @Test(arguments: Variant.allCases)
  func whatIsProgrammedReadsBackWordForWord(_ variant: Variant) throws {
    let configuration = Fixtures.configuration.merging(["localhost-nodeports": "true", "nodeport-cidrs": "192.0.2.0/24"]) { $1 }
    let services =
      everyBucket + [Fixtures.rich(4, affinity: 60), Fixtures.rich(6, affinity: 60), Fixtures.web(3, endpoints: 33)]
      + [UInt8(4), 6].map { family -> TestService in
        var service = Fixtures.rich(family, endpoints: [])
        service.key = "it's/a \\ \"test\":x/\(family)"
        service.proto = 132
        service.sourceRanges.append(family == 4 ? "0.0.0.0/0" : "::/0")
        return service
      }
    for settings in [configuration, ["pod-interface": "cni0"], ["pod-interface-prefix": "veth", "nodeport-cidrs": "fd00::/8"]] {
      let backend = try start(variant, settings)
      #expect(try sync(backend, .full(services, healthCheckPorts: [32000, 32001])).isEmpty)
      #expect(try damage(backend, thorough: true) == [])
    }
  }

  @Test(arguments: Variant.allCases)
  func aRandomHistoryLeavesWhatAFullLoadMakes(_ variant: Variant) throws {
    var generator = SplitMix(state: 4711)
    var existing: [String: TestService] = [:]
    var backend = try start(variant)
    try sync(backend, .full([]))
    for step in 0..<25 {
      #expect(try sync(backend, Fixtures.randomBatch(&existing, using: &generator)).isEmpty)
      if step == 12 {
        // A restart in the middle adopts what stands.
        backend.stop()
        backend = try start(variant)
        #expect(try sync(backend, .full(existing.values.sorted { $0.key < $1.key })).isEmpty)
      }
    }
    let fresh = try NetworkNamespace()
    let other = try start(variant, in: fresh)
    #expect(try sync(other, .full(existing.values.sorted { $0.key > $1.key }), in: fresh).isEmpty)
    #expect(try read(variant) == read(variant, fresh))
    #expect(try damage(backend, thorough: true) == [])
  }

  @Test(arguments: Variant.allCases)
  func aSecondLoadOfTheSameWritesNothing(_ variant: Variant) throws {
    let services = (1...300).map { Fixtures.web($0) } + [Fixtures.rich(4), Fixtures.rich(6)]
    try sync(start(variant), .full(services))
    let counting = CountingRunner()
    let again = try namespace.run {
      let backend = try Fixtures.backend(counting, variant)
      try backend.start()
      return backend
    }
    #expect(try sync(again, .full(services)).isEmpty)
    #expect(counting.restores == 0)
  }

  @Test(arguments: Variant.allCases, ["*nat\n-F\nCOMMIT\n", "*nat\n-F PREROUTING\nCOMMIT\n", "*filter\n-F SWIFTLET-UNSERVED\nCOMMIT\n"])
  func whatOthersRemoveIsNoticedByEventAndRepaired(_ variant: Variant, _ deed: String) throws {
    let services = (1...20).map { Fixtures.web($0) }
    let backend = try start(variant)
    try sync(backend, .full(services))
    try sync(backend, TestBatch([Fixtures.web(2, endpoints: 1)]))
    let good = try read(variant)
    // Our own changes wake nobody.
    #expect(backend.watchDescriptor >= 0)
    #expect(!isReadable(backend.watchDescriptor))
    #expect(try damage(backend, thorough: false) == [])
    // What others do to rules of their own is looked at and is no damage.
    try restore(variant, "*filter\n:OTHERS - [0:0]\n-A OTHERS -j ACCEPT\nCOMMIT\n")
    #expect(isReadable(backend.watchDescriptor, within: 1000))
    #expect(try damage(backend, thorough: false) == [])
    #expect(!isReadable(backend.watchDescriptor))
    try restore(variant, deed)
    #expect(isReadable(backend.watchDescriptor, within: 1000))
    #expect(try damage(backend, thorough: false) != [])
    #expect(try damage(backend, thorough: true) != [])
    #expect(try sync(backend, .full([Fixtures.web(1), Fixtures.web(2, endpoints: 1)] + services.dropFirst(2))).isEmpty)
    #expect(try read(variant) == good)
    #expect(try damage(backend, thorough: true) == [])
  }

  @Test func anEventBesideOurOwnChangesIsNotLost() throws {
    let backend = try start(.nft)
    try sync(backend, .full([Fixtures.web(1)]))
    try restore(.nft, "*nat\n-F SWIFTLET-MARK\nCOMMIT\n")
    try sync(backend, TestBatch([Fixtures.web(2)]))
    #expect(isReadable(backend.watchDescriptor))
    #expect(try damage(backend, thorough: false).count == 1)
  }

  @Test(arguments: Variant.allCases)
  func aHeldLockIsWaitedForAndThenReported(_ variant: Variant) throws {
    // The nft variant has no lock: it must not mind.
    let lock = open(lockFile.path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    defer { close(lock) }
    let backend = try start(variant)
    try sync(backend, .full([Fixtures.web(1)]))
    #expect(flock(lock, LOCK_EX) == 0)
    if variant == .nft {
      #expect(try sync(backend, TestBatch([Fixtures.web(2)])).isEmpty)
    } else {
      let fault = #expect(throws: BackendFault.self) { try sync(backend, TestBatch([Fixtures.web(2)])) }
      #expect(fault?.status == .retry)
      #expect(fault?.message.contains("xtables lock") == true)
      #expect(flock(lock, LOCK_UN) == 0)
      #expect(try sync(backend, TestBatch([Fixtures.web(2)])).isEmpty)
    }
  }

  @Test(arguments: Variant.allCases)
  func theProbeLeavesNoRule(_ variant: Variant) throws {
    try namespace.run { try Fixtures.backend(ChildProcess(lockFile: lockFile.path), variant).probe() }
    #expect(try read(variant).allSatisfy(\.isEmpty))
  }

  @Test(arguments: Variant.allCases)
  func withoutPrivilegesTheProbeSaysSo(_ variant: Variant) throws {
    // A thread's own credentials: the process stays root.
    try namespace.run {
      let backend = try Fixtures.backend(ChildProcess(), variant)
      guard swl_drop_thread_to_nobody() == 0 else { throw SystemError("setresuid") }
      let fault = #expect(throws: BackendFault.self) { try backend.probe() }
      #expect(fault?.status == .denied)
    }
  }

  @Test func whatSomebodyElsesRuleLeadsToStays() throws {
    let backend = try start(.nft)
    try sync(backend, .full([Fixtures.web(1)]))
    try restore(.nft, "*nat\n:OTHERS - [0:0]\n-A OTHERS -j SWIFTLET-MARK\nCOMMIT\n")
    #expect(try damage(backend, thorough: false) == [])
  }
}

/// Real children, counted.
private final class CountingRunner: ToolRunner {
  private let real = ChildProcess()
  private(set) var restores = 0

  func run(_ call: ToolCall) -> ToolOutcome {
    if call.tool.hasSuffix("-restore") { restores += 1 }
    return real.run(call)
  }
  var lockFile: String { real.lockFile }
  func isPresent(_ tool: String) -> Bool { real.isPresent(tool) }
  func takeChildren() -> Set<Int32> { real.takeChildren() }
  func endTools(exceptBusy: Bool) { real.endTools(exceptBusy: exceptBusy) }
}
