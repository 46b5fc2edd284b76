import KubeModel

/// Gives Services without an address one of the service range, and node port Services without a number one of the node port
/// range: the same again for the same name, over restarts and whatever other Services come and go.
///
/// A value; the caller keeps `assignments` on disk. New addresses start at a place the name's hash picks, so that even a
/// lost file gives most Services their address back.
public struct ServiceAddressAllocator: Sendable {
  /// Upstream's `--service-node-port-range` default.
  public static let nodePorts: ClosedRange<UInt16> = 30000...32767

  /// Among the node ports of an assignment. No port of a Service can have this name: it has capitals.
  static let healthCheckKey = "healthCheckNodePort/TCP"

  /// "namespace/name" with what it was given.
  public struct Assignment: Sendable, Hashable {
    public var addresses: [IPAddress] = []
    /// By "port name/protocol".
    public var nodePorts: [String: UInt16] = [:]

    public init(addresses: [IPAddress] = [], nodePorts: [String: UInt16] = [:]) {
      self.addresses = addresses
      self.nodePorts = nodePorts
    }
  }

  public private(set) var assignments: [String: Assignment]
  private let ranges: [CIDR]

  /// - Parameter ranges: at most one of each family, the primary one first.
  public init(ranges: [CIDR], assignments: [String: Assignment] = [:]) {
    self.ranges = ranges
    self.assignments = assignments
  }

  /// Fills in what is missing in `services` and forgets Services that are not among them. What a Service states itself is
  /// taken and never handed to another.
  ///
  /// - Parameter forgetting: false keeps the addresses of Services that are not among them.
  public mutating func assign(_ services: [Service], forgetting: Bool = true) -> (services: [Service], issues: [String: [ServiceIssue]]) {
    let names = Set(services.map(\.metadata.namespacedName))
    var taken = Taken(services: services)
    var kept: [String: Assignment] = [:]
    // In order, so that of two that hold the same (a file edited by hand) always the same one keeps it.
    for name in assignments.keys.sorted() where !forgetting || names.contains(name) {
      guard let known = assignments[name] else { continue }
      let assignment = stillValid(known, taken)
      taken.addresses.formUnion(assignment.addresses)
      taken.nodePorts.formUnion(assignment.nodePorts.map { NodePort(number: $0.value, protocolName: $0.key.protocolPart) })
      kept[name] = assignment
    }
    assignments = kept
    var issues: [String: [ServiceIssue]] = [:]
    let filled = services.map { service in
      var service = service
      let found = fill(&service, taken: &taken)
      if !found.isEmpty { issues[service.metadata.namespacedName] = found }
      return service
    }
    return (filled, issues)
  }

  /// Given up is what lies in no range any more, and what a manifest states or another Service holds by now.
  private func stillValid(_ assignment: Assignment, _ taken: Taken) -> Assignment {
    Assignment(
      addresses: assignment.addresses.filter { address in
        !taken.addresses.contains(address) && ranges.contains { $0.contains(address) }
      },
      nodePorts: assignment.nodePorts.filter { key, number in
        !taken.nodePorts.contains(NodePort(number: number, protocolName: key.protocolPart))
      })
  }

  private mutating func fill(_ service: inout Service, taken: inout Taken) -> [ServiceIssue] {
    let name = service.metadata.namespacedName
    let known = assignments.removeValue(forKey: name) ?? Assignment()
    guard service.spec.type != .externalName, !service.spec.isHeadless else { return [] }
    var assignment = Assignment()
    var issues: [ServiceIssue] = []
    for family in familiesToGive(service.spec) {
      guard let range = ranges.first(where: { $0.family == family }) else {
        issues.append(ServiceIssue(fieldPath: "spec.ipFamilies", reason: "the service range has no \(family.rawValue) part"))
        continue
      }
      let kept = known.addresses.first { $0.family == family }
      if let address = kept ?? pick(from: range, for: name, taken: taken.addresses) {
        taken.addresses.insert(address)
        assignment.addresses.append(address)
      } else {
        issues.append(ServiceIssue(fieldPath: "spec.clusterIP", reason: "the service range \(range) is used up"))
      }
    }
    service.spec.clusterIPs += assignment.addresses
    if service.needsHealthCheck, service.spec.healthCheckNodePort == nil {
      issues += fillHealthCheckPort(&service, &assignment, known: known.nodePorts, taken: &taken)
    }
    if service.spec.type == .nodePort || (service.spec.type == .loadBalancer && service.spec.allocateLoadBalancerNodePorts) {
      issues += fillNodePorts(&service, &assignment, known: known.nodePorts, taken: &taken)
    }
    if assignment != Assignment() { assignments[name] = assignment }
    return issues
  }

  private func fillNodePorts(
    _ service: inout Service, _ assignment: inout Assignment, known: [String: UInt16], taken: inout Taken
  ) -> [ServiceIssue] {
    var issues: [ServiceIssue] = []
    for index in service.spec.ports.indices where service.spec.ports[index].nodePort == nil {
      let port = service.spec.ports[index]
      let key = "\(port.name)/\(port.protocol)"
      let protocolName = "\(port.protocol)"
      guard let number = known[key] ?? pickNodePort("\(service.metadata.namespacedName)/\(key)", protocolName, taken.nodePorts)
      else {
        issues.append(ServiceIssue(fieldPath: "spec.ports[\(index)].nodePort", reason: "the node port range is used up"))
        continue
      }
      taken.nodePorts.insert(NodePort(number: number, protocolName: protocolName))
      assignment.nodePorts[key] = number
      service.spec.ports[index].nodePort = number
    }
    return issues
  }

  /// As an API server does, from the same range.
  private func fillHealthCheckPort(
    _ service: inout Service, _ assignment: inout Assignment, known: [String: UInt16], taken: inout Taken
  ) -> [ServiceIssue] {
    let key = ServiceAddressAllocator.healthCheckKey
    guard let number = known[key] ?? pickNodePort("\(service.metadata.namespacedName)/\(key)", key.protocolPart, taken.nodePorts) else {
      return [ServiceIssue(fieldPath: "spec.healthCheckNodePort", reason: "the node port range is used up")]
    }
    taken.nodePorts.insert(NodePort(number: number, protocolName: key.protocolPart))
    assignment.nodePorts[key] = number
    service.spec.healthCheckNodePort = number
    return []
  }

  /// The families a Service shall have an address of and states none of; the primary one first, as upstream.
  private func familiesToGive(_ spec: ServiceSpec) -> [IPFamily] {
    let stated = spec.clusterIPs.map(\.family)
    var wanted = spec.ipFamilies.isEmpty ? stated : spec.ipFamilies
    if wanted.isEmpty { wanted = [ranges.first?.family ?? .v4] }
    switch spec.ipFamilyPolicy {
    case .requireDualStack: wanted += ranges.map(\.family) + IPFamily.allCases
    case .preferDualStack: wanted += ranges.map(\.family)
    case .singleStack, nil: break
    }
    var seen = Set(stated)
    return wanted.filter { seen.insert($0).inserted }
  }

  /// Not the network address, not the first one (the API server's own Service), not the last of a v4 range.
  private func pick(from range: CIDR, for name: String, taken: Set<IPAddress>) -> IPAddress? {
    let usable = min(range.count, 1 << 20) - 3
    guard usable > 0 else { return nil }
    let start = Int64(stableHash(name) % UInt64(usable))
    for step in 0..<usable {
      guard let address = range.address(at: 2 + (start + step) % usable) else { continue }
      if !taken.contains(address) { return address }
    }
    return nil
  }

  private func pickNodePort(_ name: String, _ protocolName: String, _ taken: Set<NodePort>) -> UInt16? {
    let range = ServiceAddressAllocator.nodePorts
    let start = Int(stableHash(name) % UInt64(range.count))
    for step in 0..<range.count {
      let number = range.lowerBound + UInt16((start + step) % range.count)
      if !taken.contains(NodePort(number: number, protocolName: protocolName)) { return number }
    }
    return nil
  }

  /// FNV-1a: the standard library's hash is seeded anew in each process.
  private func stableHash(_ text: String) -> UInt64 {
    text.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
  }
}

private struct NodePort: Hashable {
  var number: UInt16
  var protocolName: String
}

private struct Taken {
  var addresses: Set<IPAddress>
  var nodePorts: Set<NodePort>

  /// What manifests state is stronger than anything given out.
  init(services: [Service]) {
    addresses = Set(services.flatMap(\.spec.clusterIPs))
    nodePorts = Set(
      services.flatMap { service in
        service.spec.ports.compactMap { port in
          port.nodePort.map { NodePort(number: $0, protocolName: "\(port.protocol)") }
        } + [service.spec.healthCheckNodePort.map { NodePort(number: $0, protocolName: "TCP") }].compactMap { $0 }
      })
  }
}

extension String {
  fileprivate var protocolPart: String { split(separator: "/").last.map(String.init) ?? "" }
}
