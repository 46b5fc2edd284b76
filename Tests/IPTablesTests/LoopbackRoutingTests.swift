import Glibc
import IPTables
import PluginKit
import ProxyTesting
import Testing

/// Loopback is open to neighbours for no moment (CVE-2020-8558): `route_localnet` is on only while its guard is there.
struct LoopbackRoutingTests {
  private let tool = ModelTool()
  /// In place of /proc/sys/net/ipv4/conf/all/route_localnet.
  private let path = "/tmp/swiftlet-route-localnet-\(getpid())-\(UInt64.random(in: 0...UInt64.max))"

  private func backend() throws(BackendFault) -> IPTablesBackend {
    try IPTablesBackend(
      host: HostServices(testing: { _, _ in }), configuration: ["localhost-nodeports": "true"], variant: .nft, runner: tool,
      routing: LoopbackRouting(path: path))
  }

  private func write(_ value: String, mode: mode_t = 0o600) throws {
    let file = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode)
    guard file >= 0, Glibc.write(file, value, value.utf8.count) == value.utf8.count else { throw SystemError("write \(path)") }
    close(file)
  }

  private var value: String? {
    guard let file = fopen(path, "re") else { return nil }
    defer { fclose(file) }
    let byte = getc(file)
    return byte < 0 ? nil : String(UnicodeScalar(UInt8(truncatingIfNeeded: byte)))
  }

  private var hasGuard: Bool { tool.tables["iptables-nft"]?["filter"]?["INPUT"]?.contains { $0.hasSuffix("-j SWIFTLET-LOCALNET") } == true }

  @Test func itIsTurnedOnOnceTheGuardIsThereAndOffBeforeItGoes() throws {
    try write("0\n")
    defer { unlink(path) }
    let backend = try backend()
    try backend.start()
    #expect(value == "0")
    tool.deeds = [.fail(status: 4, errors: "Another app is currently holding the xtables lock.")]
    #expect(throws: BackendFault.self) { try backend.sync(.full([Fixtures.web(1)])) }
    #expect(value == "0" && !hasGuard)
    try backend.sync(.full([Fixtures.web(1)]))
    #expect(value == "1" && hasGuard)
    // The rules cannot be removed for now.
    tool.deeds = [.fail(status: 4, errors: "Another app is currently holding the xtables lock.")]
    #expect(throws: BackendFault.self) { try backend.cleanup { _ in } }
    #expect(value == "0")
    var removed: [String] = []
    try backend.cleanup { removed.append($0) }
    #expect(value == "0" && !hasGuard)
  }

  @Test func kubeProxyKeepsWhatItWants() throws {
    try write("1\n")
    defer { unlink(path) }
    let backend = try backend()
    try backend.start()
    try backend.sync(.full([]))
    tool.tables["iptables-nft", default: [:]]["nat", default: [:]]["KUBE-NODEPORTS"] = []
    var removed: [String] = []
    try backend.cleanup { removed.append($0) }
    #expect(value == "1" && !removed.contains { $0.contains("route_localnet") })
  }

  private func withoutNodePortsAtLoopback() throws(BackendFault) -> IPTablesBackend {
    try IPTablesBackend(
      host: HostServices(testing: { _, _ in }), configuration: [:], variant: .nft, runner: tool, routing: LoopbackRouting(path: path))
  }

  @Test func aRunWithoutNodePortsAtLoopbackTurnsItOffBeforeTheGuardGoes() throws {
    try write("0\n")
    defer { unlink(path) }
    let first = try backend()
    try first.start()
    try first.sync(.full([]))
    #expect(value == "1" && hasGuard)
    let second = try withoutNodePortsAtLoopback()
    try second.start()
    tool.deeds = [.fail(status: 4, errors: "Another app is currently holding the xtables lock.")]
    #expect(throws: BackendFault.self) { try second.sync(.full([])) }
    #expect(value == "0" && hasGuard)
    try second.sync(.full([]))
    #expect(value == "0" && !hasGuard)
  }

  @Test func aRunThatCannotTurnItOffKeepsTheGuard() throws {
    try write("0\n")
    let first = try backend()
    try first.start()
    try first.sync(.full([]))
    unlink(path)
    mkdir(path, 0o700)
    let second = try withoutNodePortsAtLoopback()
    try second.start()
    try second.sync(.full([Fixtures.web(1)]))
    #expect(hasGuard)
    rmdir(path)
    try write("1\n")
    defer { unlink(path) }
    try second.sync(.full([Fixtures.web(1)]))
    #expect(value == "0" && !hasGuard)
  }

  /// A directory in its place: it cannot be written, by root neither.
  @Test func whereItCannotBeTurnedOffTheGuardStaysAndTheRestGoes() throws {
    try write("0\n")
    let backend = try backend()
    try backend.start()
    try backend.sync(.full([Fixtures.web(1)]))
    unlink(path)
    mkdir(path, 0o700)
    defer { rmdir(path) }
    #expect(throws: BackendFault.self) { try backend.cleanup { _ in } }
    let chains = tool.tables["iptables-nft", default: [:]].values.flatMap(\.keys).filter { $0.hasPrefix("SWIFTLET-") }
    #expect(chains == ["SWIFTLET-LOCALNET"] && hasGuard)
  }

  @Test func whoCannotTurnItOnIsToldAtTheStart() throws {
    let backend = try backend()
    #expect(throws: BackendFault.self) { try backend.start() }
  }
}
