import Glibc
import IPVS
import PluginAPI
import PluginKit
import ProxyTesting
import Testing

/// What the backend leaves, adopts, notices and works off, on a real kernel.
@Suite(.serialized, .enabled(if: isVirtualMachineRing, "runs in Scripts/test-vm, or with SWIFTLET_TEST_RING=vm"))
struct LifeVirtualMachineTests {
  private final class Time: @unchecked Sendable {
    var seconds: UInt64 = 1000
  }

  private let plan = Scene.Plan.four
  private let scene: Scene
  private let web: TestService
  private let six: TestService

  init() throws {
    scene = try Scene()
    web = TestService("default/web", [.clusterIP(plan.cluster, 80), .nodePort(30080)], [plan.endpointA, plan.endpointB])
    let other = Scene.Plan.six
    six = TestService("default/six", family: 6, [.clusterIP(other.cluster, 80)], [other.endpointA, other.endpointB])
  }

  @Test func probeWorksWithEverySchedulerAndChangesNothing() throws {
    let before = try scene.state()
    for scheduler in Settings.schedulers {
      let backend = try IPVSBackend(host: HostServices(testing: { _, _ in }), configuration: ["scheduler": scheduler])
      do {
        try scene.node.run { try backend.probe() }
      } catch let fault as BackendFault where scheduler == "mh" || scheduler == "ovf" || scheduler == "fo" {
        // A distribution may leave these out; then the reason names the module.
        #expect(fault.status == .unsupported && fault.message.contains("ip_vs_\(scheduler)"), "\(fault)")
      }
    }
    #expect(try scene.state() == before)
  }

  @Test func cleanupLeavesNothingAndNamesWhatItRemoved() throws {
    let before = try scene.state()
    let backend = try scene.start(["cluster-cidrs": "10.0.0.0/16", "service-cidrs": "10.96.0.0/16"])
    try backend.sync(.full([web, six, Fixtures.localWeb()]))
    // No route outside of the table "local", and none made by an address of ours but to itself.
    let routes = try scene.onNode("ip", "route", "show") + scene.onNode("ip", "-6", "route", "show")
    #expect(!routes.contains("swiftlet"))
    backend.stop()
    #expect(try scene.servers(from: scene.outside, plan.cluster, 80) == ["A", "B"])
    var owned: [String] = []
    var removed: [String] = []
    try scene.node.run {
      try backend.listOwned { owned.append($0) }
      try backend.cleanup { removed.append($0) }
    }
    for word in ["virtual server TCP 10.96.0.1:80", "interface swiftlet-ipvs0", "set swiftlet-ipvs-4-near", "SWIFTLET-IPVS-NEAR"] {
      #expect(owned.contains { $0.contains(word) }, "\(word) in \(owned)")
      #expect(removed.contains { $0.contains(word) }, "\(word) in \(removed)")
    }
    #expect(try scene.state() == before)
    try scene.node.run {
      try backend.cleanup { Issue.record("removed \($0) twice") }
      try backend.listOwned { Issue.record("owns \($0) after cleanup") }
    }
  }

  @Test func aSuccessorAdoptsWhatStandsAndSweepsWhenTheLoadIsComplete() throws {
    let first = try scene.start()
    let other = TestService("default/other", [.clusterIP(plan.other, 80), .nodePort(30081)], [plan.endpointB])
    try first.sync(.full([web, six, other, Fixtures.localWeb()]))
    let conversation = try scene.outside.run { SocketStream(plan.cluster, 80) }
    #expect(conversation.read() != nil)
    first.stop()
    let before = try scene.state()
    let second = try scene.start()
    try second.sync(TestBatch([], flags: SWL_PROXY_BATCH_RESET))
    #expect(try scene.state() == before)
    #expect(try second.sync(TestBatch([web, six, Fixtures.localWeb()])).isEmpty)
    #expect(try scene.servers(1, from: scene.outside, plan.other, 80) == ["B"])
    try second.sync(TestBatch([], flags: SWL_PROXY_BATCH_COMPLETE))
    #expect(try scene.visit(from: scene.outside, plan.other, 80) == [Visit(server: "refused")])
    #expect(try scene.visit(from: scene.outside, plan.node, 30081) == [Visit(server: "refused")])
    #expect(try scene.state() == before.filter { !$0.contains("10.96.0.2") && !$0.contains("30081") })
    #expect(conversation.echoes("still there"))
  }

  @Test func anEndpointThatGoesKeepsItsConnectionsAndIsRemovedAfterThem() throws {
    let time = Time()
    let backend = try scene.start(now: { time.seconds })
    defer { backend.stop() }
    var single = web
    single.endpoints = [plan.endpointA]
    try backend.sync(.full([single]))
    var conversation: SocketStream? = try scene.outside.run { SocketStream(plan.cluster, 80) }
    #expect(conversation?.read() == "A \(plan.outside)")
    single.endpoints = [plan.endpointB]
    try backend.sync(TestBatch([single]))
    #expect(try scene.onNode("ipvsadm", "-S", "-n").contains("-r 10.0.1.2:8080 -m -w 0"))
    #expect(try scene.servers(from: scene.outside, plan.cluster, 80) == ["B"])
    time.seconds += 10
    #expect(try backend.damages() == [])
    #expect(conversation?.echoes("still there") == true)
    #expect(try scene.onNode("ipvsadm", "-S", "-n").contains("-t 10.96.0.1:80 -r 10.0.1.2:8080 -m -w 0"))
    // It comes back, gets its weight, and goes again with the connection open for ever.
    single.endpoints = [plan.endpointA, plan.endpointB]
    try backend.sync(TestBatch([single]))
    #expect(try scene.servers(from: scene.outside, plan.cluster, 80) == ["A", "B"])
    single.endpoints = [plan.endpointB]
    try backend.sync(TestBatch([single]))
    conversation = nil
    let closed = time.seconds
    // The kernel needs a moment to take notice of the end, and keeps the connection in TIME_WAIT for two minutes of its own clock.
    try scene.eventually("the drained server is gone") {
      time.seconds += 10
      #expect(try backend.damages() == [])
      return try !scene.onNode("ipvsadm", "-S", "-n").contains("10.0.1.2")
    }
    #expect(time.seconds >= closed + Drain.closing)
    #expect(time.seconds < 1000 + Drain.limit)
  }

  @Test func theLastEndpointThatGoesKeepsItsConnections() throws {
    let backend = try scene.start()
    defer { backend.stop() }
    try backend.sync(.full([web]))
    let conversation = try scene.outside.run { SocketStream(plan.cluster, 80) }
    #expect(conversation.read() != nil)
    var empty = web
    empty.endpoints = []
    try backend.sync(TestBatch([empty]))
    for client in [scene.outside, scene.podA, scene.node] {
      #expect(try scene.visit(from: client, plan.cluster, 80) == [Visit(server: "refused")])
    }
    #expect(conversation.echoes("still there"))
  }

  @Test func whatSomebodyRemovesIsNoticedAndMadeAgain() throws {
    let backend = try scene.start()
    defer { backend.stop() }
    try backend.sync(.full([web, six, Fixtures.localWeb()]))
    let good = try scene.state()
    #expect(try backend.damages(thorough: true) == [])
    let accidents: [([String], String)] = [
      (["ipvsadm", "-C"], "virtual server"), (["ipvsadm", "-D", "-t", "10.96.0.1:80"], "virtual server TCP 10.96.0.1:80 is gone"),
      (["ip", "link", "del", "swiftlet-ipvs0"], "interface swiftlet-ipvs0 is gone"),
      (["ip", "addr", "del", "10.96.0.1/32", "dev", "swiftlet-ipvs0"], "address 10.96.0.1"), (["iptables", "-F"], "rules"),
      (["ipset", "flush", "swiftlet-ipvs-4-frontends"], "set swiftlet-ipvs-4-frontends"),
      (["ipset", "flush", "swiftlet-ipvs-6-pods"], "set swiftlet-ipvs-6-pods"),
    ]
    for (command, damage) in accidents {
      try Command.run(command, in: scene.node)
      var found: [String] = []
      var rounds = 0
      try scene.eventually("\(command) is noticed") {
        // The descriptor says when to look, as it does to the host.
        var waiting = pollfd(fd: backend.watchDescriptor, events: Int16(POLLIN), revents: 0)
        #expect(poll(&waiting, 1, 20_000) == 1)
        found += try backend.damages()
        rounds += 1
        return !found.isEmpty
      }
      #expect(found.contains { $0.contains(damage) }, "\(command): \(found) after \(rounds) rounds")
      #expect(try backend.sync(.full([web, six, Fixtures.localWeb()])).isEmpty)
      try scene.expectState(good, "after \(command)")
      #expect(try backend.damages(thorough: true) == [], "after \(command)")
    }
    try Command.run("iptables", "-F", "INPUT", in: scene.node)
    #expect(try backend.damages(thorough: true).contains { $0.contains("rules") })
    try Command.run("ipset", "add", "swiftlet-ipvs-4-pods", "192.0.2.0/24", in: scene.node)
    #expect(try backend.damages(thorough: true).contains { $0.contains("set swiftlet-ipvs-4-pods") })
    try Command.run("ipvsadm", "-e", "-t", "10.96.0.1:80", "-r", "10.0.1.2:8080", "-m", "-w", "7", in: scene.node)
    #expect(try backend.damages(thorough: true).contains { $0.contains("weight 7") })
    try Command.run("ipvsadm", "-E", "-t", "10.96.0.1:80", "-s", "rr", "-b", "flag-1", in: scene.node)
    #expect(try backend.damages(thorough: true).contains { $0.hasSuffix("is -s rr -b flag-1, not -s rr") })
  }

  @Test func nodePortsFollowTheNodesAddresses() throws {
    let backend = try scene.start()
    defer { backend.stop() }
    try backend.sync(.full([web]))
    _ = try scene.onNode("ip", "addr", "add", "192.0.2.77/24", "dev", "outside")
    try scene.eventually("the new address answers") {
      #expect(try backend.damages() == [])
      return try scene.servers(1, from: scene.outside, "192.0.2.77", 30080).isSubset(of: ["A", "B"])
    }
    _ = try scene.onNode("ip", "addr", "del", "192.0.2.77/24", "dev", "outside")
    try scene.eventually("its virtual server is gone") {
      #expect(try backend.damages() == [])
      return try !scene.onNode("ipvsadm", "-S", "-n").contains("192.0.2.77")
    }
  }

  @Test func theKernelsObjectsAreExplainedAndCounted() throws {
    let backend = try scene.start()
    defer { backend.stop() }
    try backend.sync(.full([web, Fixtures.localWeb()]))
    _ = try scene.visit(6, from: scene.outside, plan.cluster, 80)
    var lines: [String] = []
    try backend.explain(web.key) { lines.append($0) }
    for line in ["TCP 10.96.0.1:80 rr", "10.96.0.1/32 dev swiftlet-ipvs0", "add swiftlet-ipvs-4-frontends 192.0.2.1,tcp:30080"] {
      #expect(lines.contains(line), "\(lines)")
    }
    #expect(lines.contains { $0.hasPrefix("  -> 10.0.2.2:8080 Masq weight 1") })
    lines = []
    try backend.explain("default/local:http/TCP/4") { lines.append($0) }
    #expect(lines.contains { $0.hasPrefix("FWM ") })
    var counters = ProxyCounters()
    // The kernel adds its counts up every other second.
    try scene.eventually("the connections are counted") {
      try backend.counters(web.key) { counters = $1 }
      return counters.connections == 6
    }
    #expect(counters.connections == 6)
    #expect((counters.packets ?? 0) >= 6 * 6)
    #expect((counters.bytes ?? 0) > (counters.packets ?? 0) * 20)
    #expect(counters.noEndpoint == 0)
    #expect(counters.sourceRefused == nil)
    #expect(throws: BackendFault.self) { try backend.explain("default/none") { _ in } }
  }

  @Test func settingsReachTheKernel() throws {
    let configuration = ["strict-arp": "true", "tcp-timeout": "901", "tcpfin-timeout": "61", "udp-timeout": "301", "scheduler": "sh"]
    let backend = try scene.start(configuration)
    defer { backend.stop() }
    try backend.sync(.full([web]))
    #expect(try scene.onNode("ipvsadm", "-L", "--timeout").contains("901 61 301"))
    #expect(try scene.onNode("ipvsadm", "-S", "-n").contains("-t 10.96.0.1:80 -s sh"))
    for (path, value) in [("arp_ignore", "1"), ("arp_announce", "2")] {
      #expect(try scene.onNode("cat", "/proc/sys/net/ipv4/conf/all/\(path)") == value + "\n")
    }
    for name in ["conntrack", "expire_nodest_conn", "expire_quiescent_template"] {
      #expect(try scene.onNode("cat", "/proc/sys/net/ipv4/vs/\(name)") == "1\n")
    }
    #expect(try scene.onNode("cat", "/proc/sys/net/ipv4/conf/all/route_localnet") == "0\n")
  }
}
