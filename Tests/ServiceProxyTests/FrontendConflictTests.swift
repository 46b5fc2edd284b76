import KubeModel
import ServiceProxy
import Testing

/// Two Services that want the same address and port, or the same node port.
struct FrontendConflictTests {
  private func external(_ name: String, _ own: String, _ address: String, port: UInt16 = 80, created: Int64? = nil) -> Service {
    service(name, [own], created: created, ports: [ServicePort(port: port)]) { $0.externalIPs = [ip(address)] }
  }

  private func table(_ services: Service...) -> ServiceTable {
    var table = ServiceTable(resolver: resolver)
    for one in services {
      table.apply(.service(one))
      _ = table.takeBatch(generation: 1)
    }
    return table
  }

  /// Whether it has all it asks for.
  private func isWhole(_ name: String, in table: ServiceTable) -> Bool {
    guard let report = table.report(of: "default/\(name)") else { return false }
    return !report.ports.isEmpty && report.issues.isEmpty
  }

  /// The addresses a batch has a service port served at; "node" for its node port.
  private func addresses(_ batch: ProxyBatch) -> [String: [String]] {
    Dictionary(uniqueKeysWithValues: batch.upserts.map { ($0.key, $0.frontends.map { $0.address.map { "\($0)" } ?? "node" }) })
  }

  @Test func theOlderKeepsAndTheYoungerIsToldWhyWhicheverIsSeenFirst() throws {
    let old = external("z", "10.96.0.1", "192.0.2.7", created: 100)
    let young = external("a", "10.96.0.2", "192.0.2.7", created: 200)
    for table in [table(old, young), table(young, old)] {
      #expect(isWhole("z", in: table) && !isWhole("a", in: table))
      let issues = try #require(table.report(of: "default/a")).issues
      #expect(issues.map(\.description) == ["spec.ports: 192.0.2.7:80/TCP is held by Service default/z; not programmed there"])
      #expect(table.report(of: "default/z")?.issues == [])
      // Inside the cluster it serves all the same.
      #expect(table.report(of: "default/a")?.ports.flatMap(\.frontends).map(\.address) == [ip("10.96.0.2")])
    }
  }

  @Test func whoseClusterAddressIsAnothersHasNothing() throws {
    let old = service("z", ["10.96.0.1"], created: 100)
    let young = external("a", "10.96.0.1", "192.0.2.7", created: 200)
    for table in [table(old, young), table(young, old)] {
      let report = try #require(table.report(of: "default/a"))
      #expect(report.ports.isEmpty)
      #expect(report.issues.map(\.reason) == ["10.96.0.1:80/TCP is held by Service default/z; port not programmed"])
    }
  }

  /// Else an old Service could take DNS away from the whole cluster by naming its address as an external one.
  @Test func aClusterAddressGoesBeforeWhateverElseNamesIt() throws {
    let old = external("a", "10.96.0.1", "10.96.0.10", created: 100)
    let young = service("dns", ["10.96.0.10"], created: 200)
    for var table in [table(old, young), table(young, old)] {
      #expect(isWhole("dns", in: table) && !isWhole("a", in: table))
      #expect(table.report(of: "default/a")?.ports.flatMap(\.frontends).map(\.address) == [ip("10.96.0.1")])
      // What waits for it gets it when it is free.
      table.apply(.serviceRemoved("default/dns"))
      #expect(try addresses(table.requireBatch(9)) == ["default/a:/TCP/4": ["10.96.0.1", "10.96.0.10"]])
    }
  }

  /// Its own external address becomes its cluster address, which nobody takes away.
  @Test func aClaimThatBecomesAClusterAddressIsOne() throws {
    var table = table(external("z", "10.96.0.1", "192.0.2.7", created: 200))
    table.apply(.service(service("z", ["192.0.2.7"], created: 200)))
    _ = table.takeBatch(generation: 2)
    table.apply(.service(external("a", "10.96.0.2", "192.0.2.7", created: 100)))
    _ = table.takeBatch(generation: 3)
    #expect(isWhole("z", in: table) && !isWhole("a", in: table))
  }

  /// And the other way round: who waited for it may have its turn.
  @Test func aClusterAddressThatBecomesAnExternalOneIsContendedAgain() {
    var table = table(service("z", ["192.0.2.7"], created: 200), external("a", "10.96.0.2", "192.0.2.7", created: 100))
    #expect(isWhole("z", in: table) && !isWhole("a", in: table))
    table.apply(.service(external("z", "10.96.0.1", "192.0.2.7", created: 200)))
    _ = table.takeBatch(generation: 3)
    #expect(isWhole("a", in: table) && !isWhole("z", in: table))
  }

  @Test(arguments: [(nil, nil), (100, 100), (100, nil)] as [(Int64?, Int64?)])
  func withoutADifferenceInAgeTheNameDecides(a: Int64?, b: Int64?) {
    let first = external("a", "10.96.0.1", "192.0.2.7", created: a)
    let second = external("b", "10.96.0.2", "192.0.2.7", created: b)
    for table in [table(first, second), table(second, first)] {
      #expect(isWhole("a", in: table) && !isWhole("b", in: table))
    }
    // One that states its age goes before one that does not, whatever it is called.
    let stated = external("c", "10.96.0.3", "192.0.2.7", created: 900)
    #expect(isWhole("c", in: table(external("a", "10.96.0.1", "192.0.2.7"), stated)))
  }

  @Test func whoLosesWhatItHadLosesItInTheBatchThatGivesItAway() throws {
    var table = table(external("b", "10.96.0.2", "192.0.2.7"))
    table.apply(.service(external("a", "10.96.0.1", "192.0.2.7")))
    let batch = try table.requireBatch(2)
    #expect(batch.removals == [])
    #expect(addresses(batch) == ["default/a:/TCP/4": ["10.96.0.1", "192.0.2.7"], "default/b:/TCP/4": ["10.96.0.2"]])
  }

  /// Only the first of two ports by one name is programmed; the other one is to hold nothing, then or later.
  @Test func aPortByANameThatIsTakenHoldsNothing() throws {
    let ports = [ServicePort(name: "a", port: 80), ServicePort(name: "a", port: 81)]
    var table = table(service("first", ["10.96.0.1"], created: 100, ports: ports))
    #expect(table.report(of: "default/first")?.ports.map(\.frontends[0].port) == [80])
    table.apply(.service(service("second", ["10.96.0.1"], created: 200, ports: [ServicePort(port: 81)])))
    #expect(try table.requireBatch(2).upserts.map(\.key) == ["default/second:/TCP/4"])
    table.apply(.serviceRemoved("default/first"))
    _ = try table.requireBatch(3)
    #expect(isWhole("second", in: table) && table.issues().isEmpty)
  }

  @Test func aServiceMadeAnewGoesToTheEnd() throws {
    var table = table(external("a", "10.96.0.1", "192.0.2.7", created: 100), external("b", "10.96.0.2", "192.0.2.7", created: 200))
    table.apply(.serviceRemoved("default/a"))
    table.apply(.service(external("a", "10.96.0.1", "192.0.2.7", created: 300)))
    let batch = try table.requireBatch(2)
    #expect(batch.removals == [])
    #expect(addresses(batch) == ["default/a:/TCP/4": ["10.96.0.1"], "default/b:/TCP/4": ["10.96.0.2", "192.0.2.7"]])
    #expect(Array(table.issues().keys) == ["default/a"])
  }

  @Test func whatALoserHeldBesidesGoesToTheNextInTheSameBatch() throws {
    // "a" takes the cluster address of "b", which thereby gives its node port to "c".
    let nodePort = [ServicePort(port: 80, nodePort: 30080)]
    func both(_ name: String, _ own: String) -> Service { service(name, [own], ports: nodePort) { $0.type = .nodePort } }
    var table = table(both("b", "10.96.0.2"), both("c", "10.96.0.3"))
    #expect(!isWhole("c", in: table))
    table.apply(.service(service("a", ["10.96.0.2"])))
    let batch = try table.requireBatch(2)
    #expect(batch.removals == ["default/b:/TCP/4"])
    #expect(addresses(batch) == ["default/a:/TCP/4": ["10.96.0.2"], "default/c:/TCP/4": ["10.96.0.3", "node"]])
  }

  /// What it keeps does not go through a removal.
  @Test func aLoserOfOneFrontEndKeepsTheOthers() throws {
    let nodePort = [ServicePort(port: 80, nodePort: 30080)]
    let b = service("b", ["10.96.0.2"], ports: nodePort) {
      $0.type = .nodePort
      $0.externalIPs = [ip("192.0.2.7")]
    }
    var table = table(b)
    table.apply(.service(external("a", "10.96.0.1", "192.0.2.7")))
    let batch = try table.requireBatch(2)
    #expect(batch.removals == [])
    #expect(addresses(batch)["default/b:/TCP/4"] == ["10.96.0.2", "node"])
    table.apply(.serviceRemoved("default/a"))
    #expect(addresses(try table.requireBatch(3)) == ["default/b:/TCP/4": ["10.96.0.2", "192.0.2.7", "node"]])
    #expect(table.issues().isEmpty)
  }

  @Test func twoPortsOfOneServiceNeverHoldTheSameEither() throws {
    let twice = [ServicePort(name: "a", port: 80, nodePort: 30080), ServicePort(name: "b", port: 81, nodePort: 30080)]
    let table = table(service("s", ["10.96.0.1"], ports: twice) { $0.type = .nodePort })
    let report = try #require(table.report(of: "default/s"))
    #expect(report.ports.map(\.key) == ["default/s:a/TCP/4", "default/s:b/TCP/4"])
    #expect(report.ports.map(\.frontends.count) == [2, 1])
    let reason = "node port 30080/TCP is held by another port of this Service, default/s:a/TCP/4; not programmed there"
    #expect(report.issues.map(\.reason) == [reason])
  }

  @Test func theSecondTakesOverInTheBatchInWhichTheFirstGoes() throws {
    for names in [("a", "z"), ("z", "a")] {
      var table = table(
        external(names.0, "10.96.0.1", "192.0.2.7", created: 1), external(names.1, "10.96.0.2", "192.0.2.7", created: 2))
      table.apply(.serviceRemoved("default/\(names.0)"))
      let batch = try table.requireBatch(2)
      #expect(batch.removals == ["default/\(names.0):/TCP/4"])
      #expect(batch.upserts.map(\.key) == ["default/\(names.1):/TCP/4"])
      #expect(table.issues().isEmpty)
      #expect(!table.hasChanges)
    }
  }

  @Test func theSecondTakesOverWhenTheFirstOnlyLetsGo() throws {
    var table = table(external("a", "10.96.0.1", "192.0.2.7"), external("b", "10.96.0.2", "192.0.2.7"))
    table.apply(.service(service("a", ["10.96.0.1"])))
    let batch = try table.requireBatch(2)
    #expect(batch.upserts.map(\.key) == ["default/a:/TCP/4", "default/b:/TCP/4"])
    #expect(batch.removals.isEmpty)
  }

  @Test func twoServicesMayExchangeAddressesInOneBatch() throws {
    var table = table(external("a", "10.96.0.1", "192.0.2.7"), external("b", "10.96.0.2", "192.0.2.8"))
    table.apply(.service(external("a", "10.96.0.1", "192.0.2.8")))
    table.apply(.service(external("b", "10.96.0.2", "192.0.2.7")))
    let batch = try table.requireBatch(2)
    #expect(batch.upserts.map(\.key) == ["default/a:/TCP/4", "default/b:/TCP/4"])
    #expect(batch.removals.isEmpty)
    #expect(table.issues().isEmpty)
  }

  @Test func aPortThatLosesHoldsNothingBack() throws {
    // "b" turns to a cluster address "a" holds; its external address is free for "c" from then on.
    var table = table(
      service("a", ["10.96.0.1"]), external("b", "10.96.0.2", "192.0.2.7"), external("c", "10.96.0.3", "192.0.2.7"))
    #expect(!isWhole("c", in: table))
    table.apply(.service(external("b", "10.96.0.1", "192.0.2.7")))
    let batch = try table.requireBatch(2)
    #expect(batch.removals == ["default/b:/TCP/4"])
    #expect(addresses(batch) == ["default/c:/TCP/4": ["10.96.0.3", "192.0.2.7"]])
  }

  @Test func differentPortsProtocolsAndFamiliesAreNoConflict() {
    let table = table(
      external("a", "10.96.0.1", "192.0.2.7"), external("b", "10.96.0.2", "192.0.2.7", port: 81),
      service("c", ["10.96.0.3"], ports: [ServicePort(protocol: .udp, port: 80, nodePort: 30080)]) {
        $0.type = .nodePort
        $0.externalIPs = [ip("192.0.2.7")]
      }, service("d", ["10.96.0.4"], ports: [ServicePort(port: 80, nodePort: 30080)]) { $0.type = .nodePort },
      service("e", ["fd00::4"], ports: [ServicePort(port: 80, nodePort: 30080)]) { $0.type = .nodePort })
    #expect(table.issues().isEmpty)
  }

  @Test func aNodePortIsHeldOnceInEachFamily() throws {
    let ports = [ServicePort(port: 80, nodePort: 30080)]
    let table = table(
      service("a", ["10.96.0.1"], ports: ports) { $0.type = .nodePort }, service("b", ["10.96.0.2"], ports: ports) { $0.type = .nodePort })
    #expect(
      table.issues()["default/b"]?.map(\.reason) == ["node port 30080/TCP is held by Service default/a; not programmed there"])
  }

  @Test func anotherPortOfTheSameServiceIsStillProgrammed() throws {
    let ports = [ServicePort(name: "http", port: 80, nodePort: 30080), ServicePort(name: "https", port: 443, nodePort: 30443)]
    let table = table(
      service("a", ["10.96.0.1"], ports: [ports[0]]) { $0.type = .nodePort },
      service("b", ["10.96.0.2"], ports: ports) { $0.type = .nodePort })
    let ports443 = try #require(table.report(of: "default/b")).ports
    #expect(ports443.map(\.key) == ["default/b:http/TCP/4", "default/b:https/TCP/4"] && ports443.map(\.frontends.count) == [1, 2])
  }
}
