import KubeModel
import PluginHost
import ServiceProxy
import Testing

@Suite struct ProxyPluginAdapterTests {
  private func batch(generation: UInt64, upserts: [ResolvedServicePort] = [], removals: [String] = []) -> ProxyBatch {
    ProxyBatch(generation: generation, reset: generation == 1, complete: true, upserts: upserts, removals: removals)
  }

  @Test func everyFieldOfABatchArrives() async throws {
    let v4 = ResolvedServicePort(
      key: "default/web:http/TCP/4", family: .v4, ipProtocol: .tcp,
      frontends: [
        .init(kind: .clusterIP, address: IPAddress(v4: 0x0A60_0001), port: 80, masquerade: .fromOutside),
        .init(kind: .nodePort, address: nil, port: 30080, masquerade: .always, selection: .local, whenEmpty: .drop),
      ],
      endpoints: [
        .init(address: IPAddress(v4: 0x0AF4_0102), port: 8080, servesCluster: true, servesLocal: true, onNode: true),
        .init(address: IPAddress(v4: 0x0AF4_0203), port: 8080),
      ], affinitySeconds: 10800)
    let v6 = ResolvedServicePort(
      key: "default/dns:dns/UDP/6", family: .v6, ipProtocol: .udp,
      frontends: [.init(kind: .externalIP, address: IPAddress(v6High: 0xFD00 << 48, low: 0xA), port: 53)], endpoints: [])
    try await withPlugin("echo") { plugin in
      let backend = try #require(ProxyPluginAdapter(plugin))
      try await backend.start()
      let report = try await backend.sync(batch(generation: 1, upserts: [v4, v6], removals: ["a/b:c/TCP/4", ""]))
      #expect(report == ProxySyncReport(failures: ["default/dns:dns/UDP/6": "no such protocol (errno 95)"]))
      #expect(
        try await backend.ownedObjects() == [
          "batch 80 flags=3 generation=1 upserts=2 removals=2",
          "service 96 v4 proto=6 default/web:http/TCP/4 affinity=10800",
          "frontend 64 kind=1 10.96.0.1/32 port=80 masquerade=1 selection=1 empty=1",
          "frontend 64 kind=2 0.0.0.0/32 port=30080 masquerade=2 selection=2 empty=2",
          "endpoint 40 10.244.1.2/32 port=8080 flags=7", "endpoint 40 10.244.2.3/32 port=8080 flags=1",
          "service 96 v6 proto=17 default/dns:dns/UDP/6 affinity=0",
          "frontend 64 kind=3 fd00::a/128 port=53 masquerade=0 selection=1 empty=1", "remove a/b:c/TCP/4", "remove ",
        ])
      #expect(try await backend.sync(batch(generation: 2)).failures == [:])
      #expect(try await backend.cleanup().count == 11)
      #expect(try await backend.ownedObjects() == [])
    }
  }

  @Test func portsOfHealthChecksArriveAndAreToldFromNone() async throws {
    for (ports, lines) in [
      (nil, ["batch 80 flags=2 generation=2 upserts=0 removals=0"]),
      ([], ["batch 80 flags=6 generation=2 upserts=0 removals=0", "health checks"]),
      (
        [32000, 65535],
        ["batch 80 flags=6 generation=2 upserts=0 removals=0", "health checks", "health check 32000", "health check 65535"]
      ),
    ] as [([UInt16]?, [String])] {
      try await withPlugin("echo") { plugin in
        let backend = try #require(ProxyPluginAdapter(plugin))
        try await backend.start()
        var batch = batch(generation: 2)
        batch.healthCheckPorts = ports
        _ = try await backend.sync(batch)
        #expect(try await backend.ownedObjects() == lines)
      }
    }
  }

  @Test func whatSomebodyElseChangedIsHeardOfAndNamed() async throws {
    try await withPlugin("all_abilities") { plugin in
      let backend = try #require(ProxyPluginAdapter(plugin))
      try await backend.start()
      let disturbances = try #require(try await backend.disturbances())
      _ = try await backend.sync(batch(generation: 1))
      var heard = disturbances.makeAsyncIterator()
      #expect(await heard.next() != nil)
      #expect(try await backend.examine(thorough: false) == ["the table is gone"])
      #expect(try await backend.examine(thorough: true) == ["an element is missing"])
    }
  }

  @Test func aBackendShowsItsWorkAndItsCounts() async throws {
    try await withPlugin("all_abilities") { plugin in
      let backend = try #require(ProxyPluginAdapter(plugin))
      let port = ResolvedServicePort(
        key: "a/b:/TCP/4", family: .v4, ipProtocol: .tcp,
        frontends: [
          .init(kind: .loadBalancer, address: IPAddress(v4: 1), port: 80, servesNear: true, checksSource: true),
          .init(kind: .clusterIP, address: IPAddress(v4: 2), port: 80),
        ], endpoints: [], sourceRanges: ["192.0.2.0/24", "198.51.100.0/25"].compactMap { CIDR($0) })
      // Without start: a plan asks nothing of the machine.
      #expect(try await backend.plan(batch(generation: 1, upserts: [port])) == ["2 front ends, flags 3, 2 ranges, the first /24"])
      #expect(try await backend.foreignObjects() == ["table ip kube-proxy"])
      #expect(try await backend.removeForeignObjects() == ["table ip kube-proxy"])
      try await backend.start()
      #expect(try await backend.explain("known") == ["element 10.96.0.1"])
      #expect(try await backend.explain("unknown") == nil)
      #expect(
        try await backend.counters(nil) == [
          "known": ServicePortCounters(connections: 7, noEndpoint: 2, sourceRefused: 0), "old": ServicePortCounters(connections: 9),
        ])
      #expect(try await backend.counters("unknown") == [:])
    }
  }

  @Test func aBackendWithoutTheAbilitiesSaysSo() async throws {
    try await withPlugin("good") { plugin in
      let backend = try #require(ProxyPluginAdapter(plugin))
      try await backend.start()
      #expect(try await backend.disturbances() == nil)
      #expect(try await backend.examine(thorough: true) == [])
      #expect(try await backend.explain("a") == nil)
      #expect(try await backend.counters(nil) == [:])
      #expect(try await backend.foreignObjects() == [])
      let refused = await #expect(throws: ProxyBackendError.self) { try await backend.plan(batch(generation: 1)) }
      #expect(refused?.message == "this backend cannot show what it would do")
    }
  }

  @Test func hungSyncIsReportedAndTheBackendWorksAgainWhenItCameBack() async throws {
    let (time, log) = (ManualClock(), LogRecorder())
    try await withPlugin("sync_hangs", loader: makeLoader(log: log, clock: time.clock)) { plugin in
      let backend = try #require(ProxyPluginAdapter(plugin))
      try await backend.start()
      async let outcome = failure(of: backend, batch(generation: 1))
      #expect(await eventually { log.lines.contains { $0.hasPrefix("info sync has begun") } })
      time.advance(by: .seconds(60))
      let error = await outcome
      #expect(error?.code == .hung)
      #expect(error?.description == "sync_hangs: sync generation 1: did not come back within 60 s")
      let late = "warning backend sync_hangs came back from sync generation 1 after 60 s {plugin=sync_hangs}"
      #expect(await eventually { log.lines.contains(late) })
      #expect(await failure(of: backend, batch(generation: 2)) == nil)
    }
  }

  @Test func cancelledCallerMakesTheBackendGiveUp() async throws {
    let log = LogRecorder()
    try await withPlugin("sync_hangs", loader: makeLoader(log: log)) { plugin in
      let backend = try #require(ProxyPluginAdapter(plugin))
      try await backend.start()
      let task = Task { [batch = batch(generation: 1)] in await failure(of: backend, batch) }
      #expect(await eventually { log.lines.contains { $0.hasPrefix("info sync has begun") } })
      task.cancel()
      let error = await task.value
      #expect(error?.code == .retry)
      #expect(error?.description == "sync_hangs: sync generation 1: gave up")
    }
  }

  @Test func unknownStatusIsAnInternalFaultAndTheBlameIsLogged() async throws {
    let log = LogRecorder()
    try await withPlugin("unknown_status", loader: makeLoader(log: log)) { plugin in
      let backend = try #require(ProxyPluginAdapter(plugin))
      try await backend.start()
      let error = await failure(of: backend, batch(generation: 3))
      #expect(error?.code == .failed)
      #expect(error?.description == "unknown_status: sync generation 3: an internal fault")
    }
    #expect(
      log.lines.contains(
        "error PLUGIN_MISBEHAVING: backend unknown_status answered sync generation 3 with the unknown status 4242 "
          + "{blame=plugin plugin=unknown_status}"))
  }

  @Test func closedBackendFailsEveryCall() async throws {
    let plugin = try await makeLoader().load(try await Fixture.library("good"), as: .proxy)
    let backend = try #require(ProxyPluginAdapter(plugin))
    try await backend.start()
    await plugin.close()
    await plugin.close()
    let error = await failure(of: backend, batch(generation: 1))
    #expect(error?.description == "good: sync generation 1: backend good is shut down")
  }

  @Test func cgroupBackendIsNoProxy() async throws {
    try await withPlugin("good_cgroup", kind: .cgroup) { plugin in #expect(ProxyPluginAdapter(plugin) == nil) }
  }

  private func failure(of backend: ProxyPluginAdapter, _ batch: ProxyBatch) async -> ProxyBackendError? {
    do {
      _ = try await backend.sync(batch)
      return nil
    } catch let error {
      return error
    }
  }
}
