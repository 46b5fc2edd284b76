import KubeModel
import ServiceProxy
import Testing

/// What a balancer learns from a Service's `healthCheckNodePort`.
@Suite struct HealthCheckTests {
  private func check(_ places: Places, _ endpoints: [Endpoint]) -> HealthCheck? {
    let slices = [slice("web-1", of: "web", family: places.type, endpoints: endpoints)]
    return places.onNode().resolve(places.everyKind { $0.externalTrafficPolicy = .local }, slices: slices).healthCheck
  }

  @Test(arguments: Places.both)
  func readyEndpointsOfThisNodeCount(_ places: Places) {
    let endpoints = [
      endpoint(places.pod(1), on: here), endpoint(places.pod(2), on: here), endpoint(places.pod(3)),
      endpoint(places.pod(4), .draining, on: here),
      endpoint(places.pod(5), .notReady, on: here),
    ]
    #expect(
      check(places, endpoints) == HealthCheck(port: 32000, namespace: "default", name: "web", localEndpoints: [places.family: 2]))
    // A terminating one serves when it is the last, but new clients are to go elsewhere.
    #expect(check(places, [endpoint(places.pod(1), .draining, on: here)])?.localEndpoints == [places.family: 0])
  }

  @Test func anAddressCountsOnceHoweverManyPortsItServes() {
    let places = Places.both[0]
    let service = places.everyKind {
      $0.externalTrafficPolicy = .local
      $0.ports = [ServicePort(name: "a", port: 80), ServicePort(name: "b", port: 443)]
    }
    let ports = [EndpointPort(name: "a", port: 8080), EndpointPort(name: "b", port: 8443)]
    let slices = [slice(ports: ports, endpoint("10.1.0.1", on: here), endpoint("10.1.0.2", on: here))]
    #expect(resolver.resolve(service, slices: slices).healthCheck?.localEndpoints == [.v4: 2])
  }

  @Test(arguments: Places.both)
  func onlyBalancedServicesThatKeepTrafficLocalHaveOne(_ places: Places) {
    #expect(places.onNode().resolve(places.everyKind(), slices: []).healthCheck == nil)
    let nodePort = places.everyKind {
      $0.type = .nodePort
      $0.externalTrafficPolicy = .local
    }
    #expect(places.onNode().resolve(nodePort, slices: []).healthCheck == nil)
    let portless = places.everyKind {
      $0.externalTrafficPolicy = .local
      $0.healthCheckNodePort = nil
    }
    let resolution = places.onNode().resolve(portless, slices: [])
    #expect(resolution.healthCheck == nil && resolution.issues.map(\.fieldPath) == ["spec.healthCheckNodePort"])
  }

  @Test func theAnswerIsThatOfKubeProxy() throws {
    let check = HealthCheck(port: 32000, namespace: "shop", name: "web", localEndpoints: [.v4: 2, .v6: 0])
    let good = try #require(check.answer(.v4, isProxyHealthy: true))
    #expect(good.status == 200)
    let lines = [
      "{", "\t\"service\": {", "\t\t\"namespace\": \"shop\",", "\t\t\"name\": \"web\"", "\t},", "\t\"localEndpoints\": 2,",
      "\t\"serviceProxyHealthy\": true", "}",
    ]
    #expect(good.body == lines.joined(separator: "\n"))
    #expect(
      good.fields.map { "\($0.name): \($0.value)" } == [
        "Content-Type: application/json", "X-Content-Type-Options: nosniff", "X-Load-Balancing-Endpoint-Weight: 2",
      ])
    let none = try #require(check.answer(.v6, isProxyHealthy: true))
    #expect(none.status == 503 && none.body.contains("\"localEndpoints\": 0") && none.fields.last?.value == "0")
    let ill = try #require(check.answer(.v4, isProxyHealthy: false))
    #expect(ill.status == 503 && ill.body.contains("\"serviceProxyHealthy\": false") && ill.fields.last?.value == "2")
    #expect(HealthCheck(port: 1, namespace: "a", name: "b", localEndpoints: [.v4: 1]).answer(.v6, isProxyHealthy: true) == nil)
  }

  // MARK: The table

  private func balanced(_ name: String, _ last: Int, port: UInt16, created: Int64? = nil) -> Service {
    service(name, ["10.96.0.\(last)"], created: created) {
      $0.type = .loadBalancer
      $0.externalTrafficPolicy = .local
      $0.healthCheckNodePort = port
    }
  }

  private func loaded(_ services: Service...) -> ServiceTable {
    var table = ServiceTable(resolver: resolver)
    for service in services { table.apply(.service(service)) }
    _ = table.takeBatch(generation: 1)
    return table
  }

  @Test func changesAreListenersToOpenAndToClose() {
    var table = loaded(balanced("a", 1, port: 32001), balanced("b", 2, port: 32002))
    let first = table.healthChecks
    #expect(first.change(from: HealthCheckTable()) == .init(open: [32001, 32002]))
    table.apply(.serviceRemoved("default/a"))
    table.apply(.service(balanced("b", 2, port: 32003)))
    table.apply(.slice(slice("b-1", of: "b", endpoint("10.1.0.1", on: here))))
    _ = table.takeBatch(generation: 2)
    #expect(table.healthChecks.change(from: first) == .init(open: [32003], close: [32001, 32002]))
    #expect(table.healthChecks.checks.mapValues(\.localEndpoints) == [32003: [.v4: 1]])
    // Another count is another answer of the same listener.
    let second = table.healthChecks
    table.apply(.sliceRemoved("default/b-1"))
    _ = table.takeBatch(generation: 3)
    #expect(table.healthChecks.change(from: second).isEmpty && table.healthChecks != second)
    #expect(table.healthChecks[32003]?.localEndpoints == [.v4: 0])
  }

  /// What a balancer asks would be answered by pods, and a node without endpoints would look healthy.
  @Test func aPortThatIsANodePortIsToldUntilItIsNone() {
    func nodePort(_ number: UInt16) -> Service {
      service("open", ["10.96.0.9"], ports: [ServicePort(port: 80, nodePort: number)]) { $0.type = .nodePort }
    }
    var table = loaded(balanced("a", 1, port: 32000), nodePort(32000))
    let words = "port 32000 is a node port of Service default/open, whose endpoints answer there instead"
    #expect(table.issues().mapValues { $0.map(\.description) } == ["default/a": ["spec.healthCheckNodePort: \(words)"]])
    #expect(table.report(of: "default/a")?.issues.count == 1)
    table.apply(.service(nodePort(32001)))
    _ = table.takeBatch(generation: 2)
    #expect(table.issues().isEmpty)
  }

  @Test func theOlderOfTwoHasThePortAndTheOtherIsToldAndFollows() {
    for order in [[1, 2], [2, 1]] {
      var table = ServiceTable(resolver: resolver)
      for number in order {
        table.apply(.service(balanced(number == 1 ? "z" : "a", number, port: 32000, created: Int64(number))))
        _ = table.takeBatch(generation: 1)
      }
      #expect(table.healthChecks.checks.mapValues(\.name) == [32000: "z"])
      #expect(
        table.issues().mapValues { $0.map(\.reason) }
          == ["default/a": ["port 32000 is held by Service default/z; nothing answers for this one"]])
      let before = table.healthChecks
      table.apply(.serviceRemoved("default/z"))
      _ = table.takeBatch(generation: 2)
      #expect(table.healthChecks[32000]?.name == "a" && table.issues().isEmpty)
      #expect(table.healthChecks.change(from: before).isEmpty)
    }
  }

  // MARK: What backends open to a firewall

  @Test func aFullLoadHasThePortsInItsLastBatch() {
    var table = loaded(balanced("a", 1, port: 32002), balanced("b", 2, port: 32001), service("c", ["10.96.0.3"]))
    for _ in 0..<2 {
      #expect(table.fullLoad(firstGeneration: 2, bound: 2).map(\.healthCheckPorts) == [nil, [32001, 32002]])
    }
    #expect(table.takeBatch(generation: 4) == nil)
  }

  @Test func aBatchHasThePortsOnlyWhereTheyAreOthers() throws {
    var table = ServiceTable(resolver: resolver)
    #expect(table.fullLoad(firstGeneration: 1, bound: 10).map(\.healthCheckPorts) == [[]])
    table.apply(.service(balanced("a", 1, port: 32001)))
    #expect(try table.requireBatch(2).healthCheckPorts == [32001])
    table.apply(.service(service("c", ["10.96.0.3"])))
    table.apply(.slice(slice("a-1", of: "a", endpoint("10.1.0.1", on: here))))
    #expect(try table.requireBatch(3).healthCheckPorts == nil)
    // Nothing but the port is another: a batch all the same.
    table.apply(.service(balanced("a", 1, port: 32003)))
    let moved = try table.requireBatch(4)
    #expect(moved.healthCheckPorts == [32003] && moved.upserts.isEmpty && moved.removals.isEmpty)
    // Once more, and back before anybody asked.
    table.apply(.service(balanced("a", 1, port: 32004)))
    table.apply(.service(balanced("a", 1, port: 32003)))
    #expect(table.takeBatch(generation: 5) == nil)
    table.apply(.serviceRemoved("default/a"))
    #expect(try table.requireBatch(5).healthCheckPorts == [])
  }

  @Test func aPortThatOnlyChangesHandsIsNoChangeOfPorts() throws {
    var table = loaded(balanced("a", 1, port: 32000, created: 1), balanced("b", 2, port: 32000, created: 2))
    table.apply(.serviceRemoved("default/a"))
    let batch = try table.requireBatch(2)
    #expect(batch.removals.count == 1 && batch.healthCheckPorts == nil)
    #expect(table.healthChecks[32000]?.name == "b")
  }
}
