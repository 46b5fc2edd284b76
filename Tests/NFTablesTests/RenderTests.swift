import NFTables
import PluginAPI
import ProxyTesting
import Testing

/// What is sent to the kernel, as text. After a wanted change: SWIFTLET_RECORD_SNAPSHOTS=1 swift test, and read the diff.
struct RenderTests {
  @Test(arguments: Family.allCases)
  func theBaseOfATableIsAsRecorded(_ family: Family) throws {
    let layout = Layout(family: family, settings: try Fixtures.settings())
    let classes = [
      ClassReference(.refuse, isNodePort: false), ClassReference(ServiceClass(endpoints: 1, masquerade: .hairpin), isNodePort: false),
      ClassReference(ServiceClass(endpoints: 3, masquerade: .outside), isNodePort: false),
      ClassReference(ServiceClass(endpoints: 2, masquerade: .always), isNodePort: true),
      ClassReference(ServiceClass(endpoints: 2, local: 0, masquerade: .hairpin, restricted: true, drops: true), isNodePort: false),
      ClassReference(ServiceClass(endpoints: 2, local: 1, masquerade: .hairpin, affinity: true), isNodePort: true),
      ClassReference(ServiceClass(AffinitySlot(seconds: 10800, .far, number: 0)), isNodePort: true),
    ]
    let messages = layout.creation + classes.flatMap { layout.creation(of: $0) }
    try expectSnapshot("layout-\(family.name)", messages.flatMap(\.lines))
  }

  @Test(arguments: Family.allCases)
  func nodePortNetworksBecomeRules(_ family: Family) throws {
    let settings = try Settings([
      "nodeport-cidrs": "192.0.2.0/25, fd00:c::/64,198.51.100.7/32", "masquerade-bit": "0", "service-cidrs": "10.96.0.0/12,fd00:96::/112",
    ])
    let layout = Layout(family: family, settings: settings)
    let rules = layout.baseChains.flatMap { chain in chain.rules.map { "\(chain.name): \($0.words(family))" } }
    try expectSnapshot("nodeport-networks-\(family.name)", rules)
  }

  /// What packets do register by register: nft's words do not tell all of it.
  @Test(arguments: Family.allCases)
  func theRegistersOfAffinityAreAsRecorded(_ family: Family) throws {
    let layout = Layout(family: family, settings: try Fixtures.settings())
    let classes = [
      ServiceClass(endpoints: 2, masquerade: .hairpin, affinity: true), ServiceClass(AffinitySlot(seconds: 60, .cluster, number: 1)),
    ]
    let chains = classes.flatMap { layout.chains(for: ClassReference($0, isNodePort: false)) }
    try expectSnapshot("affinity-registers-\(family.name)", chains.flatMap { chain in chain.rules.map { "\(chain.name): \($0.text)" } })
  }

  /// What goes in a transaction before.
  private func prepared(_ delta: TableDelta, _ layout: Layout) -> [String] {
    let ranges = delta.preparation(layout).filter { if case .addElements(_, let map, _) = $0 { map.isInterval } else { false } }
    return delta.newClasses.map { "prepare \($0.chain)" } + ranges.flatMap(\.lines).map { "prepare \($0)" }
  }

  @Test func theLifeOfAServiceWithAffinityIsAsRecorded() throws {
    let state = TableState(Layout(family: .ipv4, settings: try Fixtures.settings()))
    let (one, two, three) = (TestEndpoint.onNode("10.0.1.2", 80), TestEndpoint("10.0.2.2", 80), TestEndpoint("10.0.3.2", 80))
    func web(_ endpoints: [TestEndpoint], seconds: UInt32 = 60, ranges: [String] = ["192.0.2.0/24"], near: Bool = false) -> [Change] {
      var frontend = TestFrontend(SWL_PROXY_LOAD_BALANCER, "203.0.113.9", 80).flagged(SWL_PROXY_FRONTEND_SOURCE_RANGES)
      if near { frontend = frontend.flagged(SWL_PROXY_FRONTEND_NEAR).selecting(SWL_PROXY_SELECT_LOCAL) }
      var service = TestService("default/web:http", [frontend], endpoints)
      service.affinitySeconds = seconds
      service.sourceRanges = ranges
      return Fixtures.ports([service])
    }
    let steps: [(String, [Change])] = [
      ("two endpoints", web([one, two])), ("the first goes", web([two])), ("a third comes", web([two, three])),
      ("the first comes back", web([one, two, three])), ("another order", web([three, two, one])),
      ("a wider range", web([one, two, three], ranges: ["192.0.0.0/16", "192.0.2.0/24"])),
      ("another time-out", web([two], seconds: 90)), ("near", web([one, two], near: true)),
      ("near, none local", web([two], near: true)), ("no affinity", web([two], seconds: 0)),
      ("goes", [.removal(key: "default/web:http", .ipv4)]),
    ]
    var lines: [String] = []
    for (name, changes) in steps {
      var delta = state.delta(for: changes)
      lines.append("# \(name)")
      lines += prepared(delta, state.layout) + delta.messages(state.layout).flatMap(\.lines)
      state.commit(newClasses: delta.newClasses)
      state.commit(changes, &delta)
      lines += state.hairpinRemoval().flatMap(\.lines).map { "later: \($0)" }
      state.forget(hairpins: state.idleHairpins)
    }
    try expectSnapshot("life-with-affinity", lines)
    #expect(state.frontends.isEmpty)
    #expect(state.classUses.isEmpty)
  }

  /// Each step is the difference to the one before.
  @Test func aServicesLifeIsAsRecorded() throws {
    let state = TableState(Layout(family: .ipv4, settings: try Fixtures.settings()))
    let frontends: [TestFrontend] = [.clusterIP("10.96.0.1", 80).masquerading(SWL_PROXY_MASQUERADE_FROM_OUTSIDE), .nodePort(30080)]
    let one = TestEndpoint.onNode("10.0.1.2", 8080)
    let two = TestEndpoint("10.0.2.2", 8080)
    func web(_ endpoints: [TestEndpoint]) -> [Change] { Fixtures.ports([TestService("default/web:http", frontends, endpoints)]) }
    let steps: [(String, [Change])] = [
      ("appears without endpoints", web([])), ("gets an endpoint on this node", web([one])), ("gets a second", web([one, two])),
      ("stays as it is", web([one, two])), ("gets another first endpoint", web([TestEndpoint("10.0.3.2", 8080), two])),
      ("loses the first", web([two])), ("goes", [.removal(key: "default/web:http", .ipv4)]),
    ]
    var lines: [String] = []
    for (name, changes) in steps {
      var delta = state.delta(for: changes)
      lines.append("# \(name)")
      lines += prepared(delta, state.layout) + delta.messages(state.layout).flatMap(\.lines)
      state.commit(newClasses: delta.newClasses)
      state.commit(changes, &delta)
      lines += state.hairpinRemoval().flatMap(\.lines).map { "later: \($0)" }
      state.forget(hairpins: state.idleHairpins)
    }
    try expectSnapshot("life-of-a-service", lines)
    #expect(state.frontends.isEmpty)
    #expect(state.hairpinUses.isEmpty)
    #expect(state.classUses.isEmpty)
  }
}
