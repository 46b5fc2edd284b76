import KubeModel
import PluginHost
import ServiceProxy
import Testing

@Suite struct ExamplePluginTests {
  private static let source = "\(Places.package)/Examples/Plugins/logging.c"

  @Test func exampleGoesThroughItsWholeLife() async throws {
    let place = try TemporaryDirectory()
    let file = try Fixture.compile(Self.source, name: "logging", into: place.path)
    let log = LogRecorder()
    let loader = makeLoader(log: log)
    let plugin = try await loader.load(file, as: .proxy, configuration: ["masquerade-bit": "14", "cluster-cidrs": ""])
    let backend = try #require(ProxyPluginAdapter(plugin))
    try await backend.start()
    let web = ResolvedServicePort(
      key: "default/web:http/TCP/4", family: .v4, ipProtocol: .tcp,
      frontends: [.init(kind: .clusterIP, address: IPAddress(v4: 0x0A60_0001), port: 80)],
      endpoints: [.init(address: IPAddress(v4: 0x0AF4_0102), port: 8080)])
    var empty = web
    empty.key = "default/none:http/TCP/4"
    empty.endpoints = []
    let report = try await backend.sync(
      ProxyBatch(generation: 1, reset: true, complete: true, upserts: [web, empty], removals: ["default/old:http/TCP/4"]))
    #expect(report == ProxySyncReport())
    #expect(try await backend.ownedObjects() == [])
    await backend.stop()
    try await backend.start()
    await backend.stop()
    #expect(try await backend.cleanup() == [])
    await plugin.close()
    #expect(
      log.lines.filter { $0.hasPrefix("info") } == [
        "info a full load begins {plugin=logging service=}",
        "info would program {plugin=logging service=default/web:http/TCP/4}",
        "info would refuse {plugin=logging service=default/none:http/TCP/4}",
        "info would remove {plugin=logging service=default/old:http/TCP/4}",
        "info the full load is complete {plugin=logging service=}",
      ])
    #expect(loader.options.metrics.snapshot().map(\.value) == [1])
  }

  @Test func exampleRefusesAnUnknownSetting() async throws {
    let place = try TemporaryDirectory()
    let file = try Fixture.compile(Self.source, name: "logging", into: place.path)
    let refused = await #expect(throws: PluginRefusal.self) {
      try await makeLoader().load(file, as: .proxy, configuration: ["colour": "blue"])
    }
    #expect(refused?.code == .createFailed)
    #expect(refused?.reason == "create failed: unknown configuration key colour")
  }

  @Test func exampleIsShortAndStrictlyCompiled() throws {
    let text = String(decoding: try TemporaryDirectory.contents(of: Self.source), as: UTF8.self)
    #expect(text.split(separator: "\n", omittingEmptySubsequences: false).count <= 150)
    let outcome = try Command.run(
      try Command.find("clang", "cc"),
      ["-std=c11", "-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only", "-I\(Places.headers)", Self.source])
    #expect(outcome.status == 0, "\(outcome.output)")
  }
}
