import IPTables
import PluginAPI
import PluginKit
import ProxyTesting
import Testing

/// What goes to iptables-restore, as text. After a wanted change: SWIFTLET_RECORD_SNAPSHOTS=1 swift test, and read the diff.
struct RenderTests {
  private func plan(_ configuration: [String: String], _ services: [TestService]) throws -> [String] {
    let backend = try Fixtures.backend(ModelTool(), .nft, configuration)
    var lines: [String] = []
    try TestBatch.full(services).withView { view throws(BackendFault) in try backend.plan(view) { lines.append($0) } }
    return lines
  }

  @Test func emptyRulesetIsAsRecorded() throws {
    try expectSnapshot("base", try plan(Fixtures.configuration, []))
    try expectSnapshot("base-bare", try plan(["drop-invalid": "false"], []))
  }

  @Test func otherConfigurationsAreAsRecorded() throws {
    let configuration = [
      "masquerade-bit": "0", "pod-interface": "cni0", "nodeport-cidrs": "192.0.2.0/25,198.51.100.7/32", "localhost-nodeports": "true",
    ]
    try expectSnapshot("base-localhost", try plan(configuration, []))
    try expectSnapshot("base-prefix", try plan(["pod-interface-prefix": "veth", "localhost-nodeports": "true"], []))
  }

  @Test(arguments: [UInt8(4), 6])
  func everyKindOfFrontEndIsAsRecorded(_ family: UInt8) throws {
    try expectSnapshot("rich-\(family)", try plan(Fixtures.configuration, [Fixtures.rich(family)]))
    try expectSnapshot("affinity-\(family)", try plan([:], [Fixtures.rich(family, affinity: 600)]))
  }

  @Test func openPortsAreInThePlan() throws {
    let backend = try Fixtures.backend(ModelTool(), .nft, [:])
    var lines: [String] = []
    try TestBatch.full([], healthCheckPorts: [32000]).withView { view throws(BackendFault) in try backend.plan(view) { lines.append($0) } }
    #expect(lines.filter { $0.contains("--dport 32000 ") && $0.hasPrefix("-A SWIFTLET-HEALTH -p tcp ") }.count == 2)
  }

  @Test func serviceWithoutEndpointsIsAsRecorded() throws {
    let remote = [TestEndpoint("10.0.2.2", 8443)]
    try expectSnapshot(
      "empty", try plan(Fixtures.configuration, [Fixtures.rich(4, endpoints: []), Fixtures.rich(6, endpoints: [])]))
    try expectSnapshot("remote-only", try plan(Fixtures.configuration, [Fixtures.rich(4, endpoints: remote)]))
  }

  /// However many there are: they are written anew then, but still after the rules that replace them.
  @Test(arguments: [2, 40])
  func refusalsGoAfterWhatReplacesThem(_ count: Int) throws {
    let tool = ModelTool()
    let backend = try Fixtures.backend(tool)
    try backend.start()
    func services(_ endpoints: [TestEndpoint], from first: Int = 0) -> [TestService] {
      (first..<count).map { TestService("default/s\($0):http/TCP/4", [.nodePort(UInt16(30_000 + $0))], endpoints) }
    }
    // One stays without, one comes.
    try backend.sync(.full(services([])))
    let before = tool.restores.count
    let late = TestService("default/late:http/TCP/4", [.nodePort(31_000)], [])
    try backend.sync(TestBatch(services([TestEndpoint("10.0.2.2", 8080)], from: 1) + [late]))
    let inputs = tool.restores.dropFirst(before).map { $0.input.split(separator: "\n") }
    let lines = try #require(inputs.first { $0.contains("*nat") })
    let nat = try #require(lines.firstIndex(of: "*nat"))
    let (first, rest) = (lines[..<nat], lines[nat...])
    #expect(first.contains { $0.hasPrefix("-A SWIFTLET-NODEPORTS ") && $0.contains("--dport 31000 ") })
    #expect(!first.contains { $0.hasPrefix("-D ") || $0.hasPrefix(":SWIFTLET-NODEPORTS ") })
    let last = try #require(rest.lastIndex(of: "*filter"))
    #expect(rest[last...].contains { $0.hasPrefix("-D SWIFTLET-NODEPORTS ") || $0.hasPrefix(":SWIFTLET-NODEPORTS ") })
  }

  /// Each step is what one child process reads.
  @Test func aServicesLifeIsAsRecorded() throws {
    let tool = ModelTool()
    let backend = try Fixtures.backend(tool)
    try backend.start()
    try backend.sync(.full([]))
    let frontends: [TestFrontend] = [.clusterIP("10.96.0.1", 80).masquerading(SWL_PROXY_MASQUERADE_FROM_OUTSIDE), .nodePort(30080)]
    let one = TestEndpoint.onNode("10.0.1.2", 8080)
    let two = TestEndpoint("10.0.2.2", 8080)
    func web(_ endpoints: [TestEndpoint]) -> TestBatch { TestBatch([TestService("default/web:http/TCP/4", frontends, endpoints)]) }
    let steps: [(String, TestBatch)] = [
      ("appears without endpoints", web([])), ("gets an endpoint on this node", web([one])), ("gets a second", web([one, two])),
      ("stays as it is", web([one, two])), ("loses the first", web([two])), ("loses the last", web([])),
      ("goes", TestBatch(removals: ["default/web:http/TCP/4"])),
    ]
    var lines: [String] = []
    let empty = tool.contents(.nft)
    for (name, batch) in steps {
      let before = tool.restores.count
      #expect(try backend.sync(batch).isEmpty)
      lines.append("## \(name)")
      lines += tool.restores.dropFirst(before).flatMap { ["# \($0.words)"] + $0.input.split(separator: "\n").map(String.init) }
    }
    try expectSnapshot("life-of-a-service", lines)
    #expect(tool.contents(.nft) == empty)
  }

  @Test(arguments: [(2, "0.50000000000"), (3, "0.33333333349"), (7, "0.14285714272"), (10, "0.10000000009"), (5000, "0.00020000013")])
  func probabilitiesAreThoseIptablesSavePrints(_ count: Int, _ text: String) {
    #expect(Rule.oneOf(count) == "-m statistic --mode random --probability \(text) ")
  }

  @Test func chainNamesFitTheKernelAndDigestsAreSHA256() {
    #expect(Digest.sha256(Array("abc".utf8)).prefix(4) == [0xba, 0x78, 0x16, 0xbf])
    #expect(Digest.sha256([]).prefix(4) == [0xe3, 0xb0, 0xc4, 0x42])
    #expect(Digest.sha256([UInt8](repeating: 0x61, count: 119)).count == 32)
    let longest = ChainName.sourceRanges(before: ChainName.endpoints(.cluster, .outside, Digest.name("a/b:c")))
    #expect(longest.utf8.count <= 28)
  }
}
