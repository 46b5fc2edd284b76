import CIPVS
import IPVS
import PluginAPI
import PluginKit
import ProxyTesting
import Testing

/// What is made of service ports and settings, as text an operator can read.
struct RenderTests {
  @Test func thePlanOfAFewServices() throws {
    let settings = try Fixtures.settings()
    var restricted = TestService(
      "default/web:http/TCP/4",
      [
        .clusterIP("10.96.0.1", 80).masquerading(SWL_PROXY_MASQUERADE_FROM_OUTSIDE),
        TestFrontend(SWL_PROXY_LOAD_BALANCER, "203.0.113.7", 80).flagged(SWL_PROXY_FRONTEND_SOURCE_RANGES),
        .nodePort(30080).masquerading(SWL_PROXY_MASQUERADE_ALWAYS),
      ], [.onNode("10.0.1.2", 8080), TestEndpoint("10.0.2.2", 8080)])
    restricted.sourceRanges = ["192.0.2.0/24", "0.0.0.0/0"]
    restricted.affinitySeconds = 10800
    let services = [
      restricted, Fixtures.localWeb(), TestService("default/none:dns/UDP/4", proto: 17, [.clusterIP("10.96.0.3", 53)], []),
      TestService("default/drop:x/SCTP/6", family: 6, proto: 132, [.clusterIP("fd00:96::3", 53).whenEmpty(SWL_PROXY_EMPTY_DROP)], []),
      TestService("default/six:x/TCP/6", family: 6, [.clusterIP("fd00:96::4", 443)], [.onNode("fd00:10:1::2", 8443)]),
    ]
    try expectSnapshot("plan", Plan(settings, try services.map(Fixtures.port), nodeAddresses: Fixtures.nodeAddresses).lines)
  }

  @Test(arguments: [
    ("bare", [:]), ("bridge", ["pod-interface": "cni0", "drop-invalid": "false", "masquerade-bit": "3"]),
    ("prefix", ["pod-interface-prefix": "veth", "service-cidrs": "fd00:96::/112"]),
  ])
  func theRules(_ name: String, _ configuration: [String: String]) throws {
    let settings = try Fixtures.settings(configuration)
    let lines = Family.allCases.flatMap { family in
      Rules(family, settings).chains.flatMap { chain in
        ["\(family) \(chain.table) \(chain.parents): \(chain.jump)"] + chain.rules.map { "  -A \(chain.name) \($0)" }
      }
    }
    try expectSnapshot("rules-\(name)", lines)
  }

  @Test func openPortsAreInThePlanAndInASetOfTheirOwn() throws {
    let ports = [try Fixtures.port(Fixtures.web()), ServicePort(healthChecks: [32001, 32000], family: .ipv4)]
    let lines = Plan(try Fixtures.settings(), ports, nodeAddresses: Fixtures.nodeAddresses).lines
    #expect(lines.contains("ipset create swiftlet-ipvs-4-health bitmap:port range 0-65535"))
    #expect(
      lines.filter { $0.hasPrefix("ipset add swiftlet-ipvs-4-health ") }
        == ["ipset add swiftlet-ipvs-4-health 32000", "ipset add swiftlet-ipvs-4-health 32001"])
  }

  @Test func nearClientsGetAServerOfTheirOwn() throws {
    let footprint = try Fixtures.footprint(Fixtures.localWeb())
    #expect(footprint.servers.map(\.reals.count) == [1, 2])
    #expect(footprint.elements.contains { $0.kind == .near })
    var same = Fixtures.localWeb()
    same.endpoints.removeLast()
    // It stays while it makes no difference.
    #expect(try Fixtures.footprint(same).servers.map(\.reals.count) == [1, 1])
    var none = Fixtures.localWeb()
    none.endpoints = []
    // The rest is not answered, near clients are refused: by a server that has nobody.
    #expect(try Fixtures.footprint(none).elements.map(\.kind).contains(.near))
    #expect(try Fixtures.footprint(none).servers.map(\.reals.count) == [0, 0])
    none.frontends[0].whenEmpty = SWL_PROXY_EMPTY_REFUSE
    #expect(try Fixtures.footprint(none).servers.map(\.reals.count) == [0, 0])
    var onlyLocal = Fixtures.localWeb()
    onlyLocal.endpoints = [TestEndpoint("10.0.1.2", 8080, flags: SWL_PROXY_ENDPOINT_LOCAL)]
    #expect(try Fixtures.footprint(onlyLocal).servers.map(\.reals.count) == [1, 0])
    var everybody = Fixtures.localWeb()
    everybody.frontends[0].selection = SWL_PROXY_SELECT_CLUSTER
    #expect(try Fixtures.footprint(everybody).servers.map(\.reals.count) == [2])
  }

  @Test func withoutLocalDetectionNobodyIsOutside() throws {
    let service = TestService(
      "a", [.clusterIP("10.96.0.1", 80).masquerading(SWL_PROXY_MASQUERADE_FROM_OUTSIDE)], [TestEndpoint("10.0.0.2", 80)])
    #expect(try Fixtures.footprint(service).elements.contains { $0.kind == .masqueradeOutside })
    #expect(try !Fixtures.footprint(service, [:]).elements.contains { $0.kind == .masqueradeOutside })
  }

  @Test func podNetworksOfOneFamilySayNothingOfTheOthersPods() throws {
    let four = ["cluster-cidrs": "10.0.0.0/16"]
    let settings = try Fixtures.settings(four)
    #expect(Rules(.ipv6, settings) == Rules(.ipv6, try Fixtures.settings([:])))
    #expect(Rules(.ipv4, settings) == Rules(.ipv4, try Fixtures.settings(["cluster-cidrs": "10.0.0.0/16,fd00:10::/32"])))
    for (family, address, endpoint) in [(UInt8(4), "10.96.0.1", "10.0.0.2"), (6, "fd00:96::1", "fd00:10::2")] {
      let service = TestService(
        "a", family: family, [.clusterIP(address, 80).masquerading(SWL_PROXY_MASQUERADE_FROM_OUTSIDE)], [TestEndpoint(endpoint, 80)])
      let isMasqueraded = try Fixtures.footprint(service, four).elements.contains { $0.kind == .masqueradeOutside }
      #expect(isMasqueraded == (family == 4))
    }
  }

  @Test func addressesOfTheNodeAreNotBoundOnceMore() throws {
    let service = TestService(
      "a", [TestFrontend(SWL_PROXY_EXTERNAL_IP, "192.0.2.1", 80), TestFrontend(SWL_PROXY_EXTERNAL_IP, "192.0.2.9", 80)],
      [TestEndpoint("10.0.0.2", 80)])
    #expect(try Fixtures.footprint(service).addresses.map(\.text) == ["192.0.2.9"])
  }

  @Test func elementsAreReadAsTheyWereWritten() throws {
    let frontends = [Fixtures.frontend("10.96.0.1", 80), Fixtures.frontend("fd00::1", 53, 17), Fixtures.frontend("10.96.0.1", 9, 132)]
    var elements: [SetElement] = frontends.flatMap { frontend -> [SetElement] in
      [SetKind.frontends, .refuse, .drop, .masqueradeAlways, .masqueradeOutside, .restricted].map { .frontend($0, frontend) } + [
        .near(frontend, mark: 0xb860_0001), .address(frontend.address),
        .allowed(frontend, Network(frontend.address, prefix: frontend.family == .ipv4 ? 24 : 64)),
        .allowed(frontend, Network(frontend.address, prefix: frontend.family.width * 8)),
        .hairpin(RealServer(address: frontend.address, port: frontend.port), proto: frontend.proto),
      ]
    }
    elements += [.healthCheck(32000, .ipv4), .healthCheck(65535, .ipv6)]
    elements += try ["10.0.0.0/8", "fd00::/64"].map { .network(.pods, try #require(Network($0))) }
    let sets = SetConnection(NetlinkConnection(ScriptedTransport()))
    for element in elements {
      for operation in [Operation.addElement(element), .removeElement(element)] {
        let request = try #require(Request.written { sets.write(operation, to: &$0) })
        var values: [Int: ArraySlice<UInt8>] = [:]
        for (type, value) in Attributes(request.bytes.dropFirst(20)) { values[type] = value }
        #expect(values[IPSET_ATTR_SETNAME]?.text == element.setName)
        // Which mark it has matters to the one that is added.
        let isMarked = if case .near = element { operation == .addElement(element) } else { true }
        let data = try #require(values[IPSET_ATTR_DATA])
        #expect(SetElement(element.kind, element.family, netlink: data) == (isMarked ? element : nil))
      }
    }
  }

  @Test func elementsNobodyOfUsPutThereAreNotTakenForOurs() throws {
    let sets = SetConnection(NetlinkConnection(ScriptedTransport()))
    func data(_ element: SetElement) throws -> ArraySlice<UInt8> {
      let request = try #require(Request.written { sets.write(.addElement(element), to: &$0) })
      return try #require(Attributes(request.bytes.dropFirst(20)).first { $0.type == IPSET_ATTR_DATA }?.value)
    }
    let four = try data(.frontend(.frontends, Fixtures.frontend("10.96.0.1", 80)))
    #expect(SetElement(.frontends, .ipv6, netlink: four) == nil)
    #expect(SetElement(.near, .ipv4, netlink: four) == nil)
    #expect(SetElement(.hairpin, .ipv4, netlink: four) == nil)
    #expect(SetElement(.frontends, .ipv4, netlink: try data(.address(Fixtures.address("10.96.0.1")))) == nil)
    let icmp = try data(.frontend(.frontends, Fixtures.frontend("10.96.0.1", 8, 1)))
    #expect(SetElement(.frontends, .ipv4, netlink: icmp) == nil)
    for length in 0..<four.count {
      let cut = SetElement(.frontends, .ipv4, netlink: four.prefix(length))
      #expect(cut == nil || cut == .frontend(.frontends, Fixtures.frontend("10.96.0.1", 80)))
    }
  }

  @Test func aNetworkOfAllIsTwoHalvesInASet() throws {
    #expect(try #require(Network("0.0.0.0/0")).settable.map(\.text) == ["0.0.0.0/1", "128.0.0.0/1"])
    #expect(try #require(Network("::/0")).settable.map(\.text) == ["::/1", "8000::/1"])
    #expect(try #require(Network("10.0.0.7/8")).settable.map(\.text) == ["10.0.0.0/8"])
  }

  @Test func ownershipFollowsFromWhereAServerIs() throws {
    let mark = Mark(masqueradeBit: 14)
    var table = AddressTable()
    table.bound = [Fixtures.address("10.96.0.1")]
    table.node = [Fixtures.address("192.0.2.1")]
    let elements: Set<SetElement> = [.frontend(.frontends, Fixtures.frontend("192.0.2.1", 30080))]
    func owner(_ address: String, _ port: UInt16) -> Ownership.Owner {
      Ownership.owner(of: .address(Fixtures.frontend(address, port)), elements: elements, mark, table)
    }
    #expect(owner("10.96.0.1", 80) == .ours)
    #expect(owner("192.0.2.1", 30080) == .ours)
    #expect(owner("192.0.2.1", 443) == .foreign)
    #expect(owner("198.51.100.1", 80) == .foreign)
    table.foreign = [Fixtures.address("10.96.0.1"), Fixtures.address("10.96.0.2")]
    #expect(owner("10.96.0.1", 80) == .inherited)
    #expect(owner("10.96.0.2", 80) == .inherited)
    #expect(owner("192.0.2.1", 443) == .inherited)
    #expect(owner("198.51.100.1", 80) == .foreign)
    let ours = ServerKey.mark(mark.value(3, masquerading: true), .ipv4)
    #expect(Ownership.owner(of: ours, elements: [], mark, table) == .ours)
    #expect(Ownership.owner(of: .mark(3, .ipv4), elements: [], mark, table) == .foreign)
    // Of a run with another masquerade bit.
    let near = SetElement.near(Fixtures.frontend("203.0.113.9", 80), mark: 3)
    #expect(Ownership.owner(of: .mark(3, .ipv4), elements: [near], mark, table) == .ours)
    #expect(Ownership.owner(of: .mark(4, .ipv4), elements: [near], mark, table) == .foreign)
  }

  @Test func stepsAreTakenInAnOrderThatLeavesNoHole() {
    let frontend = Fixtures.frontend("10.96.0.1", 80)
    let key = ServerKey.address(frontend)
    let shape = ServerShape(scheduler: "rr")
    let real = Fixtures.real("10.0.0.1")
    let order: [Operation] = [
      .addElement(.frontend(.frontends, frontend)), .addElement(.frontend(.restricted, frontend)), .addServer(key, shape),
      .addElement(.frontend(.refuse, frontend)), .bind(frontend.address), .removeElement(.frontend(.drop, frontend)),
      .changeReal(key, real, weight: 0), .removeElement(.frontend(.frontends, frontend)), .unbind(frontend.address),
      .removeElement(.address(frontend.address)),
    ]
    let phases = order.map(\.phase.rawValue)
    #expect(phases == phases.sorted() && Set(phases).count == phases.count)
    #expect(Operation.changeReal(key, real, weight: 1).phase == .raise)
  }
}
