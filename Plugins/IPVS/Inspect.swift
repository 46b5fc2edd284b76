import PluginKit

extension IPVSBackend: InspectableProxy {
  package func explain(_ key: String, line: (String) -> Void) throws(BackendFault) {
    guard let programmer, let kernel else { throw BackendFault(.invalid, "explain before start") }
    let known = ServicePort.isHealthKey(key) ? nil : programmer.servicePorts[key]
    guard let entry = known else { throw BackendFault(.notFound, "\(key): no such service port") }
    for server in entry.footprint.servers {
      guard let record = try kernel.ipvs.server(server.key) else { continue }
      let persistence = record.shape.persistence == 0 ? "" : " persistent \(record.shape.persistence)"
      line("\(record.key.title) \(record.shape.scheduler)\(persistence)")
      for (real, state) in try kernel.ipvs.reals(of: server.key).sorted(by: { $0.key < $1.key }) {
        line("  -> \(real.text) Masq weight \(state.weight) active \(state.active) inactive \(state.inactive)")
      }
    }
    let bound = try kernel.route.addresses().bound
    for address in entry.footprint.addresses where bound.contains(address) {
      line("\(address.text)/\(address.family.width * 8) dev \(DummyInterface.name)")
    }
    let elements = entry.footprint.elements
    for element in elements.sorted(by: { $0.addition < $1.addition }) {
      let isThere = try kernel.scope.run { () throws(BackendFault) in try SetSession().holds(element) }
      if isThere { line(element.addition) }
    }
  }

  package func counters(_ key: String, emit: (String, ProxyCounters) -> Void) throws(BackendFault) {
    guard let programmer, let kernel else { throw BackendFault(.invalid, "counters before start") }
    let entries = programmer.servicePorts
    let wanted = key.isEmpty ? entries : entries.filter { $0.key == key }
    if !key.isEmpty, wanted.isEmpty { throw BackendFault(.notFound, "\(key): no such service port") }
    let refused = try refusals(kernel, wanted.values.contains { $0.footprint.elements.contains { $0.kind == .refuse || $0.kind == .drop } })
    var records: [ServerKey: ServerRecord] = [:]
    if key.isEmpty { for record in try kernel.ipvs.servers() { records[record.key] = record } }
    for (name, entry) in wanted.sorted(by: { $0.key < $1.key }) where !ServicePort.isHealthKey(name) {
      // IPVS knows nothing of refused sources, and the sets count only what they let through.
      var counters = ProxyCounters(connections: 0, packets: 0, bytes: 0, noEndpoint: 0)
      for server in entry.footprint.servers {
        guard let record = key.isEmpty ? records[server.key] : try kernel.ipvs.server(server.key) else { continue }
        counters.connections = (counters.connections ?? 0) &+ record.connections
        counters.packets = (counters.packets ?? 0) &+ record.packets
        counters.bytes = (counters.bytes ?? 0) &+ record.bytes
      }
      for element in entry.footprint.elements { counters.noEndpoint = (counters.noEndpoint ?? 0) &+ (refused[element] ?? 0) }
      emit(name, counters)
    }
  }

  /// Packets the sets of front ends without endpoints met.
  private func refusals(_ kernel: LinuxKernel, _ isAsked: Bool) throws(BackendFault) -> [SetElement: UInt64] {
    guard isAsked else { return [:] }
    var counts: [SetElement: UInt64] = [:]
    for family in kernel.families {
      for kind in [SetKind.refuse, .drop] { counts.merge(try kernel.sets.packets(kind, family)) { $1 } }
    }
    return counts
  }

  package func plan(_ batch: ProxyBatchView, line: (String) -> Void) throws(BackendFault) {
    var ports: [ServicePort] = []
    for raw in batch.upserts {
      let (port, fault) = ServicePort.read(raw)
      if let fault { line("# not programmed: \(fault.message)") } else { ports.append(port) }
    }
    let ofHealth = batch.healthCheckPorts ?? []
    if !ofHealth.isEmpty { ports += Set(ports.map(\.family)).map { ServicePort(healthChecks: ofHealth, family: $0) } }
    // Reading the addresses of this machine needs no privilege.
    let addresses = try LinuxKernel.routeConnection().addresses().usable
    Plan(settings, ports, nodeAddresses: addresses).lines.forEach(line)
  }
}
