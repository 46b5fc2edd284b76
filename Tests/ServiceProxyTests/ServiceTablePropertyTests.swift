import KubeModel
import ServiceProxy
import Testing

/// Random histories: what the batches add up to is what a full load would say.
struct ServiceTablePropertyTests {
  /// What a backend holds after the batches it was given.
  private struct Model {
    var ports: [String: ResolvedServicePort] = [:]
    var healthCheckPorts: [UInt16] = []

    mutating func take(_ batch: ProxyBatch) {
      if batch.reset { ports = [:] }
      for key in batch.removals {
        #expect(ports.removeValue(forKey: key) != nil, "the removal of \(key), which was never handed out")
      }
      for port in batch.upserts {
        #expect(ports.updateValue(port, forKey: port.key) != port, "an upsert of \(port.key) that changes nothing")
      }
      #expect(Set(batch.upserts.map(\.key)).isDisjoint(with: batch.removals))
      if let ports = batch.healthCheckPorts {
        #expect(ports != healthCheckPorts, "ports of health checks that are as before")
        healthCheckPorts = ports
      }
    }

    /// Front ends by what a packet is matched by, with how many hold each.
    var holders: [String: Int] {
      var holders: [String: Int] = [:]
      for port in ports.values {
        for key in Model.keys(of: port) { holders[key, default: 0] += 1 }
      }
      return holders
    }

    static func keys(of port: ResolvedServicePort) -> [String] {
      port.frontends.map { "\(port.family) \(port.ipProtocol) \($0.address.map { "\($0)" } ?? "node") \($0.port)" }
    }
  }

  /// A small world: few names and addresses, so that everything meets everything.
  private struct World {
    var random: SplitMix
    var conflicts: Bool

    mutating func change() -> ServiceChange {
      let name = "s\(Int.random(in: 0..<5, using: &random))"
      switch Int.random(in: 0..<10, using: &random) {
      case 0: return .serviceRemoved("default/\(name)")
      case 1: return .sliceRemoved("default/e\(Int.random(in: 0..<6, using: &random))")
      case 2...5: return .slice(aSlice(of: name))
      default: return .service(aService(name))
      }
    }

    /// The node as the cluster says it is, from time to time another.
    mutating func node() -> NodeView {
      NodeView(
        name: here, zone: Bool.random(using: &random) ? "west" : nil, addresses: Bool.random(using: &random) ? [ip("172.16.0.1")] : [],
        masqueradeAll: Int.random(in: 0..<8, using: &random) == 0)
    }

    private mutating func aService(_ name: String) -> Service {
      let number = Int(String(name.dropFirst())) ?? 0
      let shared = Int.random(in: 1...3, using: &random)
      let last = conflicts ? shared : number + 10
      let isDual = Bool.random(using: &random)
      var ports = [ServicePort(name: "a", port: 80, nodePort: Bool.random(using: &random) ? UInt16(30000 + last) : nil)]
      if Bool.random(using: &random) { ports.append(ServicePort(name: "b", protocol: .udp, port: 53)) }
      if Bool.random(using: &random) { ports[0].name = "c" }
      let external = Bool.random(using: &random) ? [ip("192.0.2.\(last)")] : []
      let isHeadless = Int.random(in: 0..<8, using: &random) == 0
      let policies = (0..<2).map { _ in Bool.random(using: &random) ? ServiceTrafficPolicy.local : .cluster }
      let created: Int64? = Bool.random(using: &random) ? Int64.random(in: 1...3, using: &random) : nil
      let isBalanced = Bool.random(using: &random)
      let ranges = Bool.random(using: &random) ? [cidr("172.16.0.0/12"), cidr("10.1.0.0/16")] : []
      return service(
        name, isHeadless ? [] : ["10.96.0.\(last)"] + (isDual ? ["fd00::\(last)"] : []), created: created, ports: ports,
        ingress: isBalanced ? [LoadBalancerIngress(ip: ip("198.51.100.\(last)"))] : []
      ) {
        $0.type = isBalanced ? .loadBalancer : .nodePort
        $0.isHeadless = isHeadless
        $0.externalIPs = external
        $0.externalTrafficPolicy = policies[0]
        $0.internalTrafficPolicy = policies[1]
        $0.loadBalancerSourceRanges = isBalanced ? ranges : []
        $0.healthCheckNodePort = isBalanced && policies[0] == .local ? UInt16(32000 + last) : nil
      }
    }

    private mutating func aSlice(of service: String) -> EndpointSlice {
      let conditions: [Condition] = [.ready, .notReady, .draining, .gone]
      let endpoints = (0..<Int.random(in: 0..<4, using: &random)).map { _ in
        endpoint(
          "10.1.0.\(Int.random(in: 1...5, using: &random))", conditions.randomElement(using: &random) ?? .ready,
          on: Bool.random(using: &random) ? here : elsewhere, zones: Bool.random(using: &random) ? ["west"] : [],
          nodes: Int.random(in: 0..<4, using: &random) > 0 ? [here] : [])
      }
      let ports = [EndpointPort(name: "a", port: 8080), EndpointPort(name: "b", protocol: .udp, port: 5353)]
      return slice("e\(Int.random(in: 0..<6, using: &random))", of: service, ports: ports, endpoints: endpoints)
    }
  }

  @Test(arguments: 1...25 as ClosedRange<UInt64>, [false, true])
  func theSumOfTheBatchesIsAFullLoad(seed: UInt64, conflicts: Bool) {
    var world = World(random: SplitMix(state: seed), conflicts: conflicts)
    var table = ServiceTable(resolver: resolver)
    var latest = Latest()
    var model = Model()
    for generation in 1...60 as ClosedRange<UInt64> {
      for _ in 0..<Int.random(in: 1...4, using: &world.random) {
        let change = world.change()
        table.apply(change)
        latest.take(change)
      }
      if Int.random(in: 0..<10, using: &world.random) == 0 { table.setNode(world.node()) }
      if let batch = table.takeBatch(generation: generation) { model.take(batch) }
      #expect(model.healthCheckPorts == table.healthChecks.checks.keys.sorted(), "seed \(seed)")
      #expect(model.holders.values.allSatisfy { $0 == 1 }, "seed \(seed): two service ports with one front end")
      if generation % 12 == 0 { checkAgainstAFreshTable(latest, model, table, &world.random, seed) }
    }
    var copy = table
    let full = copy.fullLoad(firstGeneration: 100, bound: 4).flatMap(\.upserts)
    #expect(model.ports == Dictionary(uniqueKeysWithValues: full.map { ($0.key, $0) }), "seed \(seed)")
    #expect(!table.hasChanges)
  }

  /// The objects as they stand, without their history.
  private struct Latest {
    var services: [String: Service] = [:]
    var slices: [String: EndpointSlice] = [:]

    mutating func take(_ change: ServiceChange) {
      switch change {
      case .serviceSet(let service): services[service.value.metadata.namespacedName] = service.value
      case .serviceRemoved(let name): services[name] = nil
      case .sliceSet(let slice): slices[slice.value.metadata.namespacedName] = slice.value
      case .sliceRemoved(let name): slices[name] = nil
      }
    }
  }

  /// What is programmed, said and answered follows from the objects alone, in whatever order they were seen.
  private func checkAgainstAFreshTable(
    _ latest: Latest, _ model: Model, _ table: ServiceTable, _ random: inout SplitMix, _ seed: UInt64
  ) {
    var fresh = ServiceTable(resolver: ServiceResolver(node: table.node))
    let changes = latest.slices.values.map(ServiceChange.slice) + latest.services.values.map(ServiceChange.service)
    for change in changes.shuffled(using: &random) {
      fresh.apply(change)
      if Int.random(in: 0..<3, using: &random) == 0 { _ = fresh.takeBatch(generation: 1) }
    }
    let ports = fresh.fullLoad(firstGeneration: 1, bound: 1000).flatMap(\.upserts)
    #expect(model.ports == Dictionary(uniqueKeysWithValues: ports.map { ($0.key, $0) }), "seed \(seed)")
    #expect(table.issues() == fresh.issues(), "seed \(seed)")
    #expect(table.healthChecks == fresh.healthChecks, "seed \(seed)")
    checkNothingWaitsInVain(latest, model, table, seed)
  }

  /// Every wanted port is programmed as resolved but for what somebody else holds, which is told; or is blocked and told so.
  private func checkNothingWaitsInVain(_ latest: Latest, _ model: Model, _ table: ServiceTable, _ seed: UInt64) {
    let taken = model.holders
    for (name, service) in latest.services {
      let slices = latest.slices.values.filter { $0.serviceName == service.metadata.name }
      let wanted = ServiceResolver(node: table.node).resolve(service, slices: slices).ports
      var blocked = 0
      for var port in wanted {
        guard let programmed = model.ports[port.key] else {
          let cluster = zip(Model.keys(of: port), port.frontends).filter { $1.kind == .clusterIP }.map(\.0)
          #expect(cluster.contains { taken[$0] != nil }, "seed \(seed): \(port.key) is held up by nobody")
          blocked += 1
          continue
        }
        let missing = Set(Model.keys(of: port)).subtracting(Model.keys(of: programmed))
        #expect(missing.allSatisfy { taken[$0] != nil }, "seed \(seed): \(missing) of \(port.key) are held by nobody")
        blocked += missing.count
        port.frontends.removeAll { !programmed.frontends.contains($0) }
        #expect(programmed == port, "seed \(seed)")
      }
      #expect(table.issues()[name]?.filter { $0.fieldPath == "spec.ports" }.count ?? 0 == blocked, "seed \(seed)")
    }
  }
}
