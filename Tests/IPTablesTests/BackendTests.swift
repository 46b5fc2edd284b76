import IPTables
import PluginAPI
import PluginKit
import ProxyTesting
import Testing

/// What the backend takes, refuses, adopts and writes, against tools played by the test.
struct BackendTests {
  private let tool = ModelTool()

  private func loaded(_ services: [TestService] = [], _ variant: Variant = .nft) throws -> IPTablesBackend {
    let backend = try Fixtures.backend(tool, variant)
    try backend.start()
    #expect(try backend.sync(.full(services)).isEmpty)
    return backend
  }

  @Test(arguments: [
    (["colour": "blue"], "colour"), (["masquerade-bit": "32"], "masquerade-bit"), (["cluster-cidrs": "10.0.0.0/8,nonsense"], "nonsense"),
    (["nodeport-cidrs": "10.0.0.0/64"], "nodeport-cidrs"), (["pod-interface": "a b"], "pod-interface"),
    (["pod-interface-prefix": "abcdefghijklmno"], "pod-interface-prefix"), (["localhost-nodeports": "yes"], "localhost-nodeports"),
    (["cluster-cidrs": "10.0.0.0/8", "pod-interface": "cni0"], "pod-interface"), (["scheduler": "rr"], "scheduler"),
  ])
  func aConfigurationThatMakesNoSenseIsRefusedByName(_ configuration: [String: String], _ name: String) {
    let fault = #expect(throws: BackendFault.self) { try Fixtures.backend(tool, .nft, configuration) }
    #expect(fault?.status == .invalid)
    #expect(fault?.message.contains(name) == true)
  }

  @Test func aChangeBeforeTheFirstLoadIsRefused() throws {
    let backend = try Fixtures.backend(tool)
    #expect(throws: BackendFault.self) { try backend.sync(TestBatch([Fixtures.web()])) }
    try backend.start()
    let fault = #expect(throws: BackendFault.self) { try backend.sync(TestBatch([Fixtures.web()])) }
    #expect(fault?.status == .retry)
    #expect(tool.restores.isEmpty)
  }

  private static let faulty: [(TestService, String)] = {
    var noPort = Fixtures.web()
    noPort.endpoints[0].port = 0
    var otherFamily = Fixtures.web()
    otherFamily.endpoints[0].address = "fd00::1"
    var proto = Fixtures.web()
    proto.proto = 1
    var selection = Fixtures.web()
    selection.frontends[0].selection = 9
    var range = Fixtures.web()
    range.sourceRanges = ["fd00::/64"]
    var key = Fixtures.web()
    key.key = "default/we\nb"
    return [
      (noPort, "endpoint"), (otherFamily, "endpoint"), (proto, "protocol 1"), (selection, "selection"), (range, "source range"),
      (key, "control character"),
    ]
  }()

  @Test(arguments: faulty)
  func aServicePortThatCannotBeIsReportedAndTheOthersAreProgrammed(_ service: TestService, _ reason: String) throws {
    let backend = try loaded()
    let failures = try backend.sync(TestBatch([service, Fixtures.web(2)]))
    #expect(failures.count == 1)
    #expect(failures[service.key]?.message.contains(reason) == true)
    #expect(tool.restores.last?.input.contains("default/web2") == true)
  }

  @Test func oneChangeIsOneChildProcessThatNamesNothingElse() throws {
    let backend = try loaded((0..<400).map { Fixtures.web($0) })
    let before = tool.restores.count
    try backend.sync(TestBatch([Fixtures.web(5, endpoints: 1)]))
    #expect(tool.restores.count == before + 1)
    // The chain, its one rule, table and COMMIT.
    #expect(tool.restores.last?.input.split(separator: "\n").count == 4)
    try backend.sync(TestBatch([Fixtures.web(5, endpoints: 1)], removals: ["default/none:http/TCP/4"]))
    #expect(tool.restores.count == before + 1)
  }

  /// Between the two look-ups of a packet a commit may fall: the pod it was sent to would answer itself.
  @Test func aPodIsHiddenAsLongAsAPacketMayBeOnItsWayToIt() throws {
    var restores: [Int] = []
    let programmer = Programmer(
      Layout(family: .ipv4, settings: try Settings(Fixtures.configuration)), Tools(.nft, .ipv4, tool),
      awaitPackets: { [tool] in restores.append(tool.restores.count) })
    try programmer.beginLoad()
    let pods = [TestEndpoint.onNode("10.0.1.2", 8080), .onNode("10.0.1.3", 8080)]
    func apply(_ endpoints: [TestEndpoint]) throws {
      let ports = try Fixtures.ports([TestService("default/web:http/TCP/4", [.clusterIP("10.96.0.1", 80)], endpoints)])
      try programmer.apply(ports.map { .upsert($0) }) { change, fault in Issue.record("\(change.key): \(fault.message)") }
    }
    try apply(pods)
    try programmer.completeLoad { _, _ in }
    let before = tool.restores.count
    try apply([pods[0]])
    #expect(restores == [before + 1])
    let inputs = tool.restores[before...].map(\.input)
    #expect(inputs.count == 2)
    #expect(inputs.first?.contains("10.0.1.3") == false)
    #expect(inputs.last?.split(separator: "\n").map { $0.prefix(20) } == ["*nat", "-D SWIFTLET-HAIRPIN ", "COMMIT"])
    // Other changes are one restore, and nobody waits.
    try apply(pods)
    #expect(tool.restores.count == before + 3)
    #expect(restores.count == 1)
    // When the second one fails the change has been made all the same; the rule goes with the repair.
    tool.poison = "-D SWIFTLET-HAIRPIN"
    try apply([pods[0]])
    #expect(tool.tables["iptables-nft"]?["nat"]?["SWIFTLET-HAIRPIN"]?.count == 2)
    #expect(programmer.isSuspect)
    tool.poison = nil
    try apply([pods[1]])
    #expect(tool.tables["iptables-nft"]?["nat"]?["SWIFTLET-HAIRPIN"]?.count == 1)
    #expect(!programmer.isSuspect)
  }

  /// The legacy tools write the whole table each time. A service port of an early batch that cannot be is reported with the last.
  @Test func aLoadInManyBatchesIsOneRestoreOnTheLegacyVariant() throws {
    let backend = try Fixtures.backend(tool, .legacy)
    try backend.start()
    let services = (0..<40).map { Fixtures.web($0) }
    #expect(try backend.sync(TestBatch(Array(services[..<10]), flags: SWL_PROXY_BATCH_RESET)).isEmpty)
    let before = tool.restores.count
    #expect(try backend.sync(TestBatch(Array(services[10..<30]))).isEmpty)
    #expect(tool.restores.count == before)
    tool.poison = "default/web3:"
    let failures = try backend.sync(TestBatch(Array(services[30...]), flags: SWL_PROXY_BATCH_COMPLETE))
    #expect(failures.keys.sorted() == [services[3].key])
    #expect(tool.restores.contains { $0.input.contains("default/web39:") && $0.input.contains("default/web12:") })
    tool.poison = nil
    #expect(try backend.sync(.full(services)).isEmpty)
    let written = tool.restores.count
    #expect(try backend.sync(.full(services)).isEmpty)
    #expect(tool.restores.count == written)
  }

  @Test func aLargeLoadIsCutOnTheNftVariantOnly() throws {
    let services = (0..<1000).map { Fixtures.web($0) }
    _ = try loaded(services)
    #expect((5...12).contains(tool.restores.count))
    #expect(tool.restores.allSatisfy { $0.input.split(separator: "\n").count < 2000 })
    let legacy = ModelTool()
    let backend = try Fixtures.backend(legacy, .legacy)
    try backend.start()
    try backend.sync(.full(services))
    #expect(legacy.restores.count <= 6)
    #expect(Set(legacy.contents(.legacy).values) == Set(tool.contents(.nft).values))
  }

  @Test func nothingLeadsToOurChainsBeforeAFirstLoadIsComplete() throws {
    let backend = try Fixtures.backend(tool)
    try backend.start()
    try backend.sync(TestBatch([Fixtures.web()], flags: SWL_PROXY_BATCH_RESET))
    #expect(tool.tables["iptables-nft"]?["nat"]?["PREROUTING"] == [])
    try backend.sync(TestBatch([], flags: SWL_PROXY_BATCH_COMPLETE))
    #expect(tool.tables["iptables-nft"]?["nat"]?["PREROUTING"]?.count == 1)
  }

  @Test func whatAnEarlierRunLeftStaysUntilTheLoadIsComplete() throws {
    _ = try loaded([Fixtures.web(1), Fixtures.web(2)])
    let next = try Fixtures.backend(tool)
    try next.start()
    let before = tool.contents(.nft)
    try next.sync(TestBatch([Fixtures.web(1)], flags: SWL_PROXY_BATCH_RESET))
    #expect(tool.contents(.nft) == before)
    try next.sync(TestBatch([], flags: SWL_PROXY_BATCH_COMPLETE))
    #expect(tool.contents(.nft) != before)
    let fresh = ModelTool()
    let other = try Fixtures.backend(fresh)
    try other.start()
    try other.sync(.full([Fixtures.web(1)]))
    #expect(tool.contents(.nft) == fresh.contents(.nft))
  }

  @Test func portsOfHealthChecksAreOpenedInBothFamiliesAndFollowTheHost() throws {
    let backend = try Fixtures.backend(tool)
    try backend.start()
    func opened() -> [[String]] { Family.allCases.map { tool.tables["\($0.toolPrefix)-nft"]?["filter"]?["SWIFTLET-HEALTH"] ?? [] } }
    func rules(_ ports: Int...) -> [[String]] {
      let rules = ports.map { "-p tcp -m tcp --dport \($0) -m comment --comment \"health check of a load balancer\" -j ACCEPT" }
      return [rules, rules]
    }
    #expect(try backend.sync(.full([Fixtures.web()], healthCheckPorts: [32000])).isEmpty)
    #expect(opened() == rules(32000))
    #expect(tool.tables["ip6tables-nft"]?["filter"]?["INPUT"]?.last?.hasSuffix(" -j SWIFTLET-HEALTH") == true)
    // One child process for each family, and nothing but the rule.
    let before = tool.restores.count
    #expect(try backend.sync(TestBatch(healthCheckPorts: [32000, 32001])).isEmpty)
    #expect(opened() == rules(32000, 32001))
    #expect(tool.restores.dropFirst(before).map { $0.input.split(separator: "\n").count } == [3, 3])
    #expect(try backend.sync(TestBatch([Fixtures.web(2)])).isEmpty)
    #expect(opened() == rules(32000, 32001))
    #expect(try backend.sync(TestBatch(healthCheckPorts: [32001])).isEmpty)
    #expect(opened() == rules(32001))
    // No service port of the host's.
    var counted: [String] = []
    try backend.counters("") { key, _ in counted.append(key) }
    #expect(counted == [Fixtures.web().key, Fixtures.web(2).key])
    // A host that knows nothing of them leaves none.
    #expect(try backend.sync(.full([Fixtures.web()])).isEmpty)
    #expect(opened() == rules())
  }

  @Test func openPortsStayUntilALoadIsCompleteAndAreRepaired() throws {
    let first = try Fixtures.backend(tool)
    try first.start()
    try first.sync(.full([], healthCheckPorts: [32000, 32001]))
    let good = tool.contents(.nft)
    let next = try Fixtures.backend(tool)
    try next.start()
    try next.sync(TestBatch(flags: SWL_PROXY_BATCH_RESET))
    #expect(tool.contents(.nft) == good)
    try next.sync(TestBatch(flags: SWL_PROXY_BATCH_COMPLETE, healthCheckPorts: [32000, 32001]))
    #expect(tool.contents(.nft) == good)
    tool.tables["iptables-nft"]?["filter"]?["SWIFTLET-HEALTH"]?.removeFirst()
    tool.tables["ip6tables-nft"]?["filter"]?["INPUT"]?.removeLast()
    var damage: [String] = []
    try next.examine(thorough: true) { damage.append($0) }
    #expect(damage.count == 2)
    try next.sync(.full([], healthCheckPorts: [32000, 32001]))
    #expect(tool.contents(.nft) == good)
    try next.cleanup { _ in }
    #expect(!tool.contents(.nft).keys.contains { $0.contains("SWIFTLET-") })
    #expect(tool.contents(.nft)["iptables-nft filter INPUT"] == [])
  }

  /// The host could not hand them out again by a key.
  @Test func portsThatCannotBeOpenedAreNoServicesFaultAndTheNextLoadOpensThem() throws {
    let backend = try loaded()
    tool.poison = "--dport 32000 "
    #expect(try backend.sync(TestBatch([Fixtures.web()], healthCheckPorts: [32000])).isEmpty)
    #expect(tool.tables["iptables-nft"]?["filter"]?["SWIFTLET-HEALTH"] == [])
    #expect(tool.restores.contains { $0.input.contains("default/web1:") })
    tool.poison = nil
    try backend.sync(.full([Fixtures.web()], healthCheckPorts: [32000]))
    #expect(tool.tables["iptables-nft"]?["filter"]?["SWIFTLET-HEALTH"]?.count == 1)
  }

  @Test func driftIsRepairedByAFullLoad() throws {
    let services = [Fixtures.web(1), Fixtures.rich(6)]
    let backend = try loaded(services)
    let good = tool.contents(.nft)
    tool.tables["iptables-nft"]?["nat"]?["OUTPUT"] = []
    tool.tables["iptables-nft"]?["nat"]?["SWIFTLET-MARK"] = ["-j ACCEPT"]
    tool.tables["iptables-nft"]?["nat"]?["SWIFTLET-ADDRESSES"] = []
    tool.tables["iptables-nft"]?["filter"]?["SWIFTLET-OLD"] = ["-j SWIFTLET-FORWARD"]
    tool.tables["ip6tables-nft"] = nil
    #expect(try backend.sync(.full(services)).isEmpty)
    #expect(tool.contents(.nft) == good)
  }

  @Test func thoroughExaminationNamesTheDamage() throws {
    let backend = try loaded([Fixtures.web(1)])
    var lines: [String] = []
    try backend.examine(thorough: true) { lines.append($0) }
    #expect(lines.isEmpty)
    tool.tables["iptables-nft"]?["nat"]?["OUTPUT"] = []
    tool.tables["iptables-nft"]?["nat"]?["SWIFTLET-MARK"] = nil
    tool.tables["iptables-nft"]?["filter"]?["SWIFTLET-FORWARD"]?.removeLast()
    try backend.examine(thorough: true) { lines.append($0) }
    #expect(lines.count == 3)
    #expect(lines.contains("iptables: chain SWIFTLET-MARK of table nat is gone"))
  }

  @Test func theVariantIsThatOfTheHintThenOfTheRules() throws {
    func saved(_ chains: [String], rules: Int = 0) -> [SavedRules] {
      let text = chains.map { ":\($0) - [0:0]\n" }.joined() + String(repeating: "-A INPUT -j ACCEPT\n", count: rules)
      return [SavedRules("*nat\n:INPUT ACCEPT [0:0]\n\(text)COMMIT\n")]
    }
    #expect(Support.choose([(.nft, saved([])), (.legacy, saved([]))]) == nil)
    #expect(Support.choose([(.nft, saved([], rules: 5)), (.legacy, saved(["KUBE-IPTABLES-HINT"]))]) == .legacy)
    #expect(Support.choose([(.nft, saved([], rules: 1)), (.legacy, saved([], rules: 3))]) == .legacy)
    #expect(Support.choose([(.nft, saved([], rules: 3)), (.legacy, saved([], rules: 3))]) == .nft)
    #expect(Support.choose([(.nft, saved([], rules: 3)), (.legacy, saved(["SWIFTLET-SERVICES"]))]) == .legacy)
    tool.installed = ["iptables-legacy-restore", "iptables-legacy-save"]
    #expect(try Support.variant(tool) == .legacy)
    tool.installed = []
    let fault = #expect(throws: BackendFault.self) { try Support.variant(tool) }
    #expect(fault?.status == .unsupported)
  }

  @Test func whatTheOtherVariantHeldGoesAfterTheFirstLoad() throws {
    _ = try loaded([Fixtures.web(1)], .legacy)
    let backend = try Fixtures.backend(tool, .nft)
    try backend.start()
    try backend.sync(TestBatch([Fixtures.web(1)], flags: SWL_PROXY_BATCH_RESET))
    #expect(tool.contents(.legacy).keys.contains { $0.contains("SWIFTLET-") })
    try backend.sync(TestBatch([], flags: SWL_PROXY_BATCH_COMPLETE))
    #expect(!tool.contents(.legacy).keys.contains { $0.contains("SWIFTLET-") })
  }

  @Test func countersComeFromTheRulesOfTheServicePort() throws {
    let saved = SavedRules(
      """
      *filter
      :SWIFTLET-NODEPORTS - [0:0]
      [3:180] -A SWIFTLET-NODEPORTS -p tcp -m tcp --dport 80 -m comment --comment "a/b:c: no endpoint" -j DROP
      [2:120] -A SWIFTLET-NODEPORTS -p tcp -m tcp --dport 81 -m comment --comment "a/b:c: source not allowed" -j DROP
      COMMIT
      *nat
      :SWIFTLET-CH-\(Digest.name("a/b:c")) - [0:0]
      [4:240] -A SWIFTLET-CH-\(Digest.name("a/b:c")) -p tcp -m comment --comment "a/b:c: endpoint" -j DNAT --to-destination 10.0.0.1:80
      [5:300] -A SWIFTLET-CH-\(Digest.name("a/b:c")) -p tcp -m comment --comment "a/b:c: endpoint" -j DNAT --to-destination 10.0.0.2:80
      COMMIT

      """)
    let counters = Inspection.counters(["a/b:c", "a/b"], saved)
    #expect(
      counters.map(\.counters) == [
        ProxyCounters(connections: 9, noEndpoint: 3, sourceRefused: 2), ProxyCounters(connections: 0, noEndpoint: 0, sourceRefused: 0),
      ])
    #expect(Inspection.explain("a/b:c", saved).count == 6)
    #expect(Inspection.explain("a/b", saved).isEmpty)
  }
}
