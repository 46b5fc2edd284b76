import Glibc
import PluginHost
import Testing

@Suite struct HostServicesTests {
  private func started(
    _ fixture: String, loader: PluginLoader = makeLoader(), _ body: (ProxyPluginAdapter) async throws -> Void = { _ in }
  ) async throws {
    try await withPlugin(fixture, loader: loader) { plugin in
      let backend = try #require(ProxyPluginAdapter(plugin))
      try await backend.start()
      try await body(backend)
    }
  }

  @Test func pluginsRecordsReachTheLogWithLevelAndValues() async throws {
    let log = LogRecorder()
    try await started("logs", loader: makeLoader(log: log))
    #expect(
      log.lines.filter { !$0.contains("UNTRUSTED") } == [
        "debug a detail {fixture=logs plugin=logs}", "info news in two lines {fixture=logs plugin=logs}",
        "warning a warning {fixture=logs plugin=logs}",
        "error HOST_MISBEHAVING: the host was late {blame=host fixture=logs plugin=logs}",
        "warning what is this {fixture=logs plugin=logs}",
      ])
  }

  @Test func metricsAreDefinedInInitOnlyAndKeepTheirNames() async throws {
    let log = LogRecorder()
    let loader = makeLoader(log: log)
    try await started("metrics", loader: loader)
    let samples = loader.options.metrics.snapshot()
    #expect(samples.map(\.name) == ["swiftlet_plugin_metrics_syncs_total", "swiftlet_plugin_metrics_seconds"])
    #expect(samples.map(\.value) == [2, 0.003])
    #expect(samples.last?.count == 1)
    #expect(samples.last?.buckets.prefix(4) == [0, 0, 1, 1])
    #expect(
      log.lines.contains(
        "error PLUGIN_MISBEHAVING: backend metrics defined the metric late outside of init {blame=plugin plugin=metrics}"))
    // A new instance finds its numbers again.
    try await started("metrics", loader: loader)
    #expect(loader.options.metrics.snapshot().map(\.value) == [4, 0.006])
  }

  @Test func callbackRequestsBeforeItRunsFallTogether() async throws {
    try await started("callback") { backend in
      #expect(await eventually { (try? await backend.ownedObjects()) == ["callback"] })
      let owned = try await backend.ownedObjects()
      #expect(owned == ["callback"])
    }
  }

  @Test func backendRunsOnAThreadOfItsOwnWithSignalsBlocked() async throws {
    try await started("thread_state") { backend in
      let owned = try await backend.ownedObjects()
      #expect(owned == ["swl-thread_stat TERM=1 CHLD=1 SEGV=0"])
    }
  }

  @Test func metricNamesAndKindsAreChecked() throws {
    let metrics = PluginMetrics()
    for name in ["", "A", "1a", "a-b", "a b", "é", String(repeating: "a", count: 101)] {
      #expect(throws: PluginMetrics.Fault.badName(name)) { try metrics.define(plugin: "p", kind: 1, name: name, help: "") }
    }
    let id = try metrics.define(plugin: "p-q", kind: 2, name: "level", help: "h")
    #expect(throws: PluginMetrics.Fault.definedDifferently("level")) {
      try metrics.define(plugin: "p-q", kind: 2, name: "level", help: "other")
    }
    metrics.record(id, 3)
    metrics.record(id, .nan)
    metrics.record(id, .infinity)
    metrics.record(id, -5)
    #expect(metrics.snapshot().map(\.name) == ["swiftlet_plugin_p_q_level"])
    #expect(metrics.snapshot().map(\.value) == [-5])
  }
}
