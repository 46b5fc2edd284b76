import Glibc
import NFTables
import PluginAPI
import PluginKit
import ProxyTesting
import Testing

/// What others do to the ruleset, and what is noticed of it. Needs root; fails without it.
@Suite(.serialized, .blocking) struct WatchKernelTests {
  private let namespace: NetworkNamespace
  init() throws { namespace = try NetworkNamespace() }

  private static let services: [TestService] = {
    var services = (1...5).map { Fixtures.web($0) }
    services[0].affinitySeconds = 600
    services[1].sourceRanges = ["192.0.2.0/24"]
    services[1].frontends[0].flags = SWL_PROXY_FRONTEND_SOURCE_RANGES
    services[2].frontends[0] = services[2].frontends[0].flagged(SWL_PROXY_FRONTEND_NEAR).selecting(SWL_PROXY_SELECT_LOCAL)
    services[2].endpoints[0].flags |= SWL_PROXY_ENDPOINT_LOCAL | SWL_PROXY_ENDPOINT_ON_NODE
    return services
  }()

  private func start() throws -> NFTablesBackend {
    let backend = try namespace.run {
      let backend = try NFTablesBackend(host: HostServices(testing: { _, _ in }), configuration: Fixtures.configuration)
      try backend.start()
      return backend
    }
    #expect(try backend.sync(.full(Self.services)).isEmpty)
    return backend
  }

  private func nft(_ command: String) throws { try Command.run("nft", "-f", "-", in: namespace, input: command + "\n") }
  private func isReadable(_ backend: NFTablesBackend) -> Bool {
    var poll = pollfd(fd: backend.watchDescriptor, events: Int16(POLLIN), revents: 0)
    return Glibc.poll(&poll, 1, 0) == 1
  }
  private func damage(_ backend: NFTablesBackend, thorough: Bool = false) throws -> [String] {
    var lines: [String] = []
    try backend.examine(thorough: thorough) { lines.append($0) }
    return lines
  }

  @Test func ownChangesWakeNobody() throws {
    let backend = try start()
    #expect(backend.watchDescriptor >= 0)
    for count in [1, 7, 0, 3] {
      try backend.sync(TestBatch([Fixtures.web(4, endpoints: count)], removals: [Fixtures.web(5).key]))
      #expect(!isReadable(backend))
    }
    try backend.sync(.full([]))
    #expect(!isReadable(backend))
    #expect(try damage(backend, thorough: true) == [])
  }

  /// Before Linux 6.7 there is no room for a filter that looks through a whole datagram: what others do may wake us then.
  private func isFilterWhole() throws -> Bool {
    let isWhole = try namespace.run { try EventSocket(ownPort: 1).filteredMessages == EventFilter.messages }
    let room = Int(try Command.run("cat", "/proc/sys/net/core/optmem_max").filter(\.isNumber)) ?? 0
    #expect(isWhole || room < 1 << 17)
    return isWhole
  }

  @Test func whatHappensElsewhereWakesNobody() throws {
    let backend = try start()
    try nft("table ip swiftly { set swiftlet { type ipv4_addr; }; chain swiftlet { accept; }; }; table inet swiftle { chain a { drop; }; }")
    let elements = (0..<4000).map { "10.\($0 / 250).\($0 % 250).1" }.joined(separator: ", ")
    try nft("add element ip swiftly swiftlet { \(elements) }")
    // Names that differ late and in their length only.
    for name in ["swiftlex", "swiftpod", "swiftlets", "xwiftlet", "s"] { try nft("add table ip \(name); delete table ip \(name)") }
    try nft("delete table ip swiftly; add table ip foreign; delete table inet swiftle")
    #expect(try !isReadable(backend) || !isFilterWhole())
    #expect(try damage(backend) == [])
    // A table that shares the name but not the family passes the filter and is passed over.
    try nft("table inet swiftlet { chain a { drop; }; }")
    #expect(try damage(backend) == [])
    #expect(try damage(backend, thorough: true) == [])
  }

  /// While a load is under way nobody listens: the kernel would tell us of each element we add.
  @Test(arguments: [
    "delete element ip swiftlet service_ips { 10.96.0.3 . tcp . 80 }", "flush chain ip swiftlet services", "flush map ip6 swiftlet classes",
    "delete table ip swiftlet", "add table ip foreign; delete table ip foreign",
  ])
  func whatHappensDuringALoadIsUndoneByItsEnd(_ deed: String) throws {
    let backend = try start()
    let before = try listing()
    #expect(try backend.sync(TestBatch(Array(Self.services.prefix(2)), flags: SWL_PROXY_BATCH_RESET)).isEmpty)
    try nft(deed)
    #expect(!isReadable(backend))
    #expect(try backend.sync(TestBatch(Array(Self.services.dropFirst(2)), flags: SWL_PROXY_BATCH_COMPLETE)).isEmpty)
    #expect(try listing() == before)
    #expect(try damage(backend, thorough: true) == [])
    try nft("flush chain ip swiftlet services")
    #expect(isReadable(backend))
  }

  /// Behind so many others that they fill datagrams, ours is found.
  @Test func whatHappensToUsAmongOthersIsNoticed() throws {
    let backend = try start()
    try nft((0..<300).map { "add table ip other\($0)" }.joined(separator: "\n"))
    #expect(try !isReadable(backend) || !isFilterWhole())
    #expect(try damage(backend) == [])
    try nft((0..<300).map { "delete table ip other\($0)" }.joined(separator: "\n") + "\ndelete table ip swiftlet")
    #expect(isReadable(backend))
    #expect(try damage(backend).contains("table ip swiftlet is gone"))
  }

  @Test(arguments: [
    ("flush ruleset", "table ip6 swiftlet is gone"), ("delete table ip swiftlet", "table ip swiftlet is gone"),
    ("flush chain ip swiftlet services", "chain services"),
    ("delete element ip swiftlet service_ips { 10.96.0.3 . tcp . 80 }", "service_ips"),
    ("delete element ip swiftlet endpoints { 10.96.0.4 . tcp . 80 . 0 }", "endpoints"),
    ("add chain ip swiftlet nat_postrouting { policy drop; }", "chain nat_postrouting"),
    ("flush map ip swiftlet affinity_slots", "affinity_slots"), ("flush map ip swiftlet classes", "classes"),
    ("flush set ip swiftlet source_ranges", "source_ranges"), ("flush set ip swiftlet refusals", "refusals"),
    ("add element ip swiftlet service_ips { 10.96.9.9 . tcp . 80 : 0x0 }", "service_ips"),
    ("add element ip swiftlet source_ranges { 10.0.0.0/8 . 10.96.0.3 . tcp . 80 }", "source_ranges"),
    ("add chain ip swiftlet mine { accept; }", "chain mine"), ("insert rule ip swiftlet nat_output accept", "chain nat_output"),
    ("delete chain ip swiftlet filter_forward", "chain filter_forward"), ("flush set ip swiftlet hairpin", "hairpin"),
    ("add table ip swiftlet { flags dormant; }", "table ip swiftlet"),
    ("delete table ip swiftlet; add table ip swiftlet { map endpoints { type mark : verdict; }; }", "table ip swiftlet is gone"),
  ])
  func damageIsNoticedNamedAndRepaired(_ deed: String, _ words: String) throws {
    let backend = try start()
    let before = try listing()
    try nft(deed)
    #expect(isReadable(backend))
    let heard = try damage(backend)
    #expect(heard.contains { $0.contains(words) }, "\(heard)")
    #expect(!isReadable(backend))
    #expect(try damage(backend) == [])
    // A look at the table finds it too, without having heard of it.
    #expect(try !damage(backend, thorough: true).isEmpty)
    #expect(try backend.sync(.full(Self.services)).isEmpty)
    #expect(try damage(backend, thorough: true) == [])
    #expect(try listing() == before)
  }

  @Test func forgettingClientsIsNoDamage() throws {
    let backend = try start()
    try nft("flush map ip swiftlet affinity")
    #expect(try damage(backend) == [])
    #expect(try damage(backend, thorough: true) == [])
  }

  @Test func lostNotificationsAreMadeUpForByALook() throws {
    let backend = try start()
    let events = OverrunSource()
    let watch = Watch(events, ownPort: 1)
    #expect(try watch.take() == Watch.Finding(isIncomplete: true))
    #expect(try watch.take() == Watch.Finding())
    // More than the socket holds.
    for number in 0..<40 {
      let elements = (0..<250).map { "10.200.\(number).\($0) . tcp . 80 : 0x0" }.joined(separator: ", ")
      try nft("add element ip swiftlet service_ips { \(elements) }; delete element ip swiftlet service_ips { \(elements) }")
    }
    try nft("flush chain ip swiftlet services")
    var lines: [String] = []
    while isReadable(backend) { lines += try damage(backend) }
    #expect(lines.contains { $0.contains("chain services") }, "\(lines)")
  }

  /// The lines of nft's list, without what depends on the order things were made in.
  private func listing() throws -> [String] {
    let list = try Command.run("nft", "-s", "list", "ruleset", in: namespace)
    return list.split(separator: "\n").map { line in
      var line = line.drop { $0 == " " || $0 == "\t" }
      if line.hasPrefix("elements = { ") { line = line.dropFirst(13) }
      return String(line.reversed().drop { ",} ".contains($0) }.reversed())
    }.filter { !$0.isEmpty && !$0.hasPrefix("size ") }.sorted()
  }
}

/// Says once that it has lost something.
private final class OverrunSource: EventSource {
  let descriptor: Int32 = -1
  private var isOverrun = true

  func receive(into buffer: UnsafeMutableRawBufferPointer) throws(TransportFault) -> Int? {
    defer { isOverrun = false }
    if isOverrun { throw TransportFault(.receive, errno: ENOBUFS) }
    return nil
  }

  func listen(_ isListening: Bool) {}
}
