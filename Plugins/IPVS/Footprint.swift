/// What one service port asks of the kernel, with node ports spread over the node's addresses.
package struct Footprint: Equatable, Sendable {
  package struct Server: Equatable, Sendable {
    package var key: ServerKey
    package var shape: ServerShape
    /// Each once.
    package var reals: [RealServer]
    /// A server that goes keeps its connections; else they end with the next packet (UDP and SCTP, as upstream).
    package var isGraceful: Bool
  }

  package var servers: [Server] = []
  package var elements: [SetElement] = []
  /// To be bound to the dummy interface.
  package var addresses: [Address] = []

  package init() {}

  /// - Parameters:
  ///   - nodeAddresses: of all interfaces but the dummy one.
  ///   - markNumber: asked for when `port.needsMark`.
  package init(_ port: ServicePort, _ settings: Settings, nodeAddresses: Set<Address>, markNumber: UInt32?) {
    servers.reserveCapacity(port.entrances.count)
    elements.reserveCapacity(3 * port.entrances.count)
    for entrance in port.entrances {
      let isNear = markNumber != nil && port.needsMark(entrance)
      let mark = isNear ? settings.mark.value(markNumber ?? 0, masquerading: entrance.masquerade == .always) : nil
      for address in Self.addresses(of: entrance, port.family, settings, nodeAddresses) {
        let frontend = Frontend(address: address, proto: port.proto, port: entrance.port)
        if has(.address(frontend)) { continue }
        append(frontend, entrance, port, settings, nodeAddresses)
        if let mark { elements.append(.near(frontend, mark: mark)) }
      }
      if let mark { append(server: .mark(mark, port.family), port.cluster, port, settings) }
    }
    elements += port.healthChecks.map { .healthCheck($0, port.family) }
    var onNode: Set<RealServer> = []
    for server in port.onNode where onNode.insert(server).inserted { elements.append(.hairpin(server, proto: port.proto)) }
  }

  private mutating func append(
    _ frontend: Frontend, _ entrance: ServicePort.Entrance, _ port: ServicePort, _ settings: Settings, _ nodeAddresses: Set<Address>
  ) {
    let selected = port.selected(by: entrance)
    elements.append(.frontend(.frontends, frontend))
    switch entrance.masquerade {
    case .hairpin: break
    case .always: elements.append(.frontend(.masqueradeAlways, frontend))
    case .fromOutside: if settings.detection(of: port.family) != .none { elements.append(.frontend(.masqueradeOutside, frontend)) }
    }
    if selected.isEmpty { elements.append(.frontend(entrance.whenEmpty == .refuse ? .refuse : .drop, frontend)) }
    append(server: .address(frontend), selected, port, settings)
    let isBound = !nodeAddresses.contains(frontend.address) && !frontend.address.isLoopback
    if isBound, !addresses.contains(frontend.address) {
      addresses.append(frontend.address)
      elements.append(.address(frontend.address))
    }
    guard entrance.isRestricted else { return }
    elements.append(.frontend(.restricted, frontend))
    var ranges = Set(port.sourceRanges.flatMap(\.settable))
    // The node reaches an address of its own from that very address, so whether it may is asked of its other addresses.
    if isBound, port.sourceRanges.contains(where: { range in nodeAddresses.contains { range.contains($0) } }) {
      ranges.insert(Network(frontend.address, prefix: frontend.family.width * 8))
    }
    elements += ranges.map { .allowed(frontend, $0) }
  }

  private mutating func append(server key: ServerKey, _ reals: [RealServer], _ port: ServicePort, _ settings: Settings) {
    if has(key) { return }
    var shape = ServerShape(scheduler: settings.scheduler, persistence: port.affinity)
    // With persistence a server of a mark keeps the port the client asked for instead of the endpoint's (ip_vs_sched_persist, up to
    // 6.18 at least), so there clients are told apart by their addresses.
    if case .mark = key, port.affinity > 0 { shape = .sourceHashing }
    servers.append(Server(key: key, shape: shape, reals: Self.unique(reals), isGraceful: port.proto == Protocol.tcp))
  }

  private static func unique(_ reals: [RealServer]) -> [RealServer] {
    // To look at a few is cheaper than to hash them, and as a rule they are as they should be.
    if reals.count <= 8 {
      let isUnique = reals.indices.allSatisfy { place in !reals.prefix(place).contains { $0 == reals[safe: place] } }
      return isUnique ? reals : reals.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    }
    var seen = Set<RealServer>(minimumCapacity: reals.count)
    return reals.filter { seen.insert($0).inserted }
  }

  /// Those of all that a service port asks for.
  package static func frontends(_ port: ServicePort, _ settings: Settings, nodeAddresses: Set<Address>) -> [Frontend] {
    var frontends: [Frontend] = []
    for entrance in port.entrances {
      for address in addresses(of: entrance, port.family, settings, nodeAddresses) {
        let frontend = Frontend(address: address, proto: port.proto, port: entrance.port)
        if !frontends.contains(frontend) { frontends.append(frontend) }
      }
    }
    return frontends
  }

  /// They are few: to hash them costs more.
  private func has(_ key: ServerKey) -> Bool { servers.contains { $0.key == key } }

  private static func addresses(
    of entrance: ServicePort.Entrance, _ family: Family, _ settings: Settings, _ nodeAddresses: Set<Address>
  ) -> [Address] {
    if let address = entrance.address { return [address] }
    return nodeAddresses.filter { $0.family == family && settings.answersNodePorts($0) }.sorted()
  }
}

extension ServicePort {
  package func selected(by entrance: Entrance) -> [RealServer] { entrance.selectsLocal ? local : cluster }

  /// Whether near clients may meet other endpoints than the rest does, or another answer where there is none: they are refused. Also
  /// while both are the same: the virtual server of a mark that came and went with the endpoints elsewhere would take connections
  /// along, those to endpoints that stay among them.
  package func needsMark(_ entrance: Entrance) -> Bool { entrance.servesNearFromAll && entrance.selectsLocal }

  package var needsMark: Bool { entrances.contains { needsMark($0) } }
}
