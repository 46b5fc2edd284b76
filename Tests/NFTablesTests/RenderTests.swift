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
    ]
    let messages = layout.creation + classes.flatMap { layout.creation(of: $0) }
    try expectSnapshot("layout-\(family.name)", messages.flatMap(\.lines))
  }

  @Test(arguments: Family.allCases)
  func nodePortNetworksBecomeRules(_ family: Family) throws {
    let settings = try Settings(["nodeport-cidrs": "192.0.2.0/25, fd00:c::/64,198.51.100.7/32", "masquerade-bit": "0"])
    let layout = Layout(family: family, settings: settings)
    let rules = layout.baseChains.flatMap { chain in chain.rules.map { "\(chain.name): \($0.text)" } }
    try expectSnapshot("nodeport-networks-\(family.name)", rules)
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
      let delta = state.delta(for: changes)
      lines.append("# \(name)")
      lines += delta.newClasses.map { "prepare \($0.chain)" } + delta.messages(state.layout).flatMap(\.lines)
      state.commit(newClasses: delta.newClasses)
      state.commit(changes, delta)
    }
    try expectSnapshot("life-of-a-service", lines)
    #expect(state.frontends.isEmpty)
    #expect(state.hairpinUses.isEmpty)
    #expect(state.classUses.isEmpty)
  }
}
