import NFTables
import PluginAPI
import PluginKit
import ProxyTesting
import Testing

/// What the backend says about the kernel, beside what nft says about it. Needs root; fails without it.
@Suite(.serialized, .blocking) struct InspectKernelTests {
  private let namespace: NetworkNamespace
  init() throws { namespace = try NetworkNamespace() }

  private static let configuration = [
    "pod-interface": "cni0", "nodeport-cidrs": "192.0.2.0/24,fd00:c::/64", "service-cidrs": "10.96.0.0/12,fd00:96::/112",
  ]

  private func make(_ configuration: [String: String] = configuration) throws -> NFTablesBackend {
    try NFTablesBackend(host: HostServices(testing: { _, _ in }), configuration: configuration)
  }

  /// Everything the layout can do.
  private static let services: [TestService] = {
    var generator = SplitMix(state: 4711)
    return (1...12).map { Fixtures.random($0, using: &generator) } + (1...3).map { Fixtures.web($0 + 100) }
  }()

  private func lines(_ text: String) -> [String] {
    var lines: [String] = []
    for line in text.split(separator: "\n") {
      var line = line.drop { $0 == " " || $0 == "\t" }
      if line.hasPrefix("size ") { continue }
      if line.hasPrefix("elements = { ") { line = line.dropFirst(13) }
      // nft puts elements of some maps on one line.
      for part in line.hasPrefix("0x") ? line.split(separator: ",") : [line] {
        let trimmed = part.drop { $0 == " " }.reversed().drop { ",} ".contains($0) }.reversed()
        if !trimmed.isEmpty { lines.append(String(trimmed)) }
      }
    }
    return lines.sorted()
  }

  @Test(arguments: [
    configuration, Fixtures.configuration, ["pod-interface-prefix": "veth", "masquerade-bit": "3"], ["drop-invalid": "false"],
  ])
  func thePlanIsWhatNFTListsAfterwards(_ configuration: [String: String]) throws {
    var plan: [String] = []
    // Without any namespace of its own, unprivileged as it were: it opens nothing.
    let planner = try NFTablesBackend(host: HostServices(testing: { _, _ in }), configuration: configuration) {
      () throws(TransportFault) in throw TransportFault(.open, errno: 1)
    }
    try TestBatch.full(Self.services).withView { view throws(BackendFault) in try planner.plan(view) { plan.append($0) } }
    let backend = try make(configuration)
    try namespace.run { try backend.start() }
    #expect(try backend.sync(.full(Self.services)).isEmpty)
    let listed = lines(try Command.run("nft", "list", "ruleset", in: namespace))
    let planned = lines(plan.joined(separator: "\n"))
    let missing = listed.filter { !planned.contains($0) }
    let surplus = planned.filter { !listed.contains($0) }
    #expect(missing == [])
    #expect(surplus == [])
    #expect(listed.count == planned.count)
  }

  @Test func aPlanSaysWhatCannotBe() throws {
    var faulty = Fixtures.web(1)
    faulty.affinitySeconds = 500_000
    var thief = Fixtures.web(2)
    thief.key = "default/thief:http"
    var plan: [String] = []
    let planner = try make()
    try TestBatch.full([faulty, Fixtures.web(2), thief]).withView { view throws(BackendFault) in
      try planner.plan(view) { plan.append($0) }
    }
    #expect(plan.contains { $0.hasPrefix("# \(faulty.key) is not programmed: ") && $0.contains("session affinity") })
    #expect(plan.contains { $0.hasPrefix("# default/thief:http is not programmed: ") && $0.contains("held by") })
    #expect(plan.contains { $0.contains("10.96.0.3 . tcp . 80 counter packets 0 bytes 0 : 0x00000002") })
    #expect(!plan.contains { $0.contains("10.96.0.2 . tcp . 80") })
  }

  @Test func anExplanationIsWhatTheKernelHas() throws {
    let backend = try make()
    try namespace.run { try backend.start() }
    #expect(try backend.sync(.full(Self.services)).isEmpty)
    let listed = Set(lines(try Command.run("nft", "list", "ruleset", in: namespace)))
    for service in Self.services {
      var explanation: [String] = []
      try backend.explain(service.key) { explanation.append($0) }
      let surplus = lines(explanation.joined(separator: "\n")).filter { !listed.contains($0) }
      #expect(surplus == [])
      for frontend in service.frontends {
        #expect(explanation.contains { $0.contains("\(frontend.address.map { "\($0) . " } ?? "")\(service.proto == 6 ? "tcp" : "")") })
      }
    }
    #expect(throws: BackendFault.self) { try backend.explain("default/none") { _ in } }
    // What somebody took away, and what he put there.
    let web = Fixtures.web(101)
    try Command.run(
      "nft", "-f", "-", in: namespace,
      input: "delete element ip swiftlet endpoints { 10.96.0.102 . tcp . 80 . 1 }\ninsert rule ip swiftlet endpoints_2 accept\n")
    var explanation: [String] = []
    try backend.explain(web.key) { explanation.append($0) }
    #expect(explanation.contains { $0.contains("10.96.0.102 . tcp . 80 . 0x00000001 # not in the kernel") })
    #expect(explanation.contains { $0.contains("# a rule of somebody else") })
    #expect(explanation.contains { $0.contains("numgen random mod 2 map @endpoints") })
  }

  @Test func kubeProxysTablesAreFoundAndRemoved() throws {
    let backend = try make()
    func run(_ body: @escaping (NFTablesBackend, (String) -> Void) throws -> Void) throws -> [String] {
      try namespace.run {
        var lines: [String] = []
        try body(backend) { lines.append($0) }
        return lines
      }
    }
    #expect(try run { try $0.listForeign($1) } == [])
    try Command.run(
      "nft", "-f", "-", in: namespace,
      input: """
        table ip kube-proxy { map service-ips { type ipv4_addr : verdict; elements = { 10.96.0.1 : goto svc }; }
          chain svc { accept; }; chain nat { type nat hook prerouting priority 0; ip daddr vmap @service-ips; }; }
        table ip6 kube-proxy { chain svc { accept; }; }
        table inet kube-proxy { chain mine { accept; }; }

        """)
    try namespace.run { try backend.start() }
    try backend.sync(.full([Fixtures.web(1)]))
    #expect(try run { try $0.listForeign($1) } == ["table ip kube-proxy", "table ip6 kube-proxy"])
    #expect(try run { try $0.removeForeign(removed: $1) } == ["table ip kube-proxy", "table ip6 kube-proxy"])
    #expect(try run { try $0.removeForeign(removed: $1) } == [])
    let left = try Command.run("nft", "list", "tables", in: namespace)
    #expect(left.split(separator: "\n").sorted() == ["table inet kube-proxy", "table ip swiftlet", "table ip6 swiftlet"])
  }
}
