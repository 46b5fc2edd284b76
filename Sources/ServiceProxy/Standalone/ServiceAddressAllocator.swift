import KubeModel

/// Gives Services without an address one of the service range, and node port Services without a number one of the node port
/// range: the same again for the same name, over restarts and whatever other Services come and go.
///
/// A value; the caller keeps `assignments` on disk. New addresses start at a place the name's hash picks, so that even a
/// lost file gives most Services their address back.
public struct ServiceAddressAllocator: Sendable {
  /// Upstream's `--service-node-port-range` default.
  public static let nodePorts: ClosedRange<UInt16> = 30000...32767

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
  public mutating func assign(_ services: [Service]) -> (services: [Service], issues: [String: [ServiceIssue]]) {
    let names = Set(services.map(\.metadata.namespacedName))
    var taken = Taken(services: services)
    var kept: [String: Assignment] = [:]
    for (name, var assignment) in assignments where names.contains(name) {
      assignment.addresses = keptAddresses(assignment)
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

  /// Addresses of a range that is no longer configured are given up.
  private func keptAddresses(_ assignment: Assignment) -> [IPAddress] {
    assignment.addresses.filter { address in ranges.contains { $0.contains(address) } }
  }

  private mutating func fill(_ service: inout Service, taken: inout Taken) -> [ServiceIssue] {
    guard service.spec.type != .externalName, !service.spec.isHeadless else { return [] }
    var issues: [ServiceIssue] = []
    let name = service.metadata.namespacedName
    var assignment = assignments[name] ?? Assignment()
    if service.spec.clusterIPs.isEmpty {
      var addresses: [IPAddress] = []
      for family in wantedFamilies(service.spec) {
        guard let range = ranges.first(where: { $0.family == family }) else {
          issues.append(ServiceIssue(fieldPath: "spec.ipFamilies", reason: "the service range has no \(family.rawValue) part"))
          continue
        }
        let kept = assignment.addresses.first { $0.family == family && !taken.stated.contains($0) }
        if let address = kept ?? pick(from: range, for: name, taken: taken.addresses) {
          taken.addresses.insert(address)
          addresses.append(address)
        } else {
          issues.append(ServiceIssue(fieldPath: "spec.clusterIP", reason: "the service range \(range) is used up"))
        }
      }
      assignment.addresses = addresses
      service.spec.clusterIPs = addresses
    }
    if service.spec.type == .nodePort || (service.spec.type == .loadBalancer && service.spec.allocateLoadBalancerNodePorts) {
      issues += fillNodePorts(&service, &assignment, taken: &taken)
    }
    assignments[name] = assignment == Assignment() ? nil : assignment
    return issues
  }

  private func fillNodePorts(_ service: inout Service, _ assignment: inout Assignment, taken: inout Taken) -> [ServiceIssue] {
    var issues: [ServiceIssue] = []
    var kept: [String: UInt16] = [:]
    for index in service.spec.ports.indices where service.spec.ports[index].nodePort == nil {
      let port = service.spec.ports[index]
      let key = "\(port.name)/\(port.protocol)"
      let protocolName = "\(port.protocol)"
      let previous = assignment.nodePorts[key].flatMap {
        taken.statedNodePorts.contains(NodePort(number: $0, protocolName: protocolName)) ? nil : $0
      }
      guard let number = previous ?? pickNodePort("\(service.metadata.namespacedName)/\(key)", protocolName, taken.nodePorts) else {
        issues.append(ServiceIssue(fieldPath: "spec.ports[\(index)].nodePort", reason: "the node port range is used up"))
        continue
      }
      taken.nodePorts.insert(NodePort(number: number, protocolName: protocolName))
      kept[key] = number
      service.spec.ports[index].nodePort = number
    }
    assignment.nodePorts = kept
    return issues
  }

  private func wantedFamilies(_ spec: ServiceSpec) -> [IPFamily] {
    if !spec.ipFamilies.isEmpty { return spec.ipFamilies }
    switch spec.ipFamilyPolicy {
    case .requireDualStack: return IPFamily.allCases
    case .preferDualStack: return ranges.map(\.family)
    case .singleStack, nil: return ranges.first.map { [$0.family] } ?? [.v4]
    }
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
  /// Written in a manifest, so stronger than anything given out.
  var stated: Set<IPAddress>
  var nodePorts: Set<NodePort>
  var statedNodePorts: Set<NodePort>

  init(services: [Service]) {
    stated = Set(services.flatMap(\.spec.clusterIPs))
    addresses = stated
    statedNodePorts = Set(
      services.flatMap { service in
        service.spec.ports.compactMap { port in
          port.nodePort.map { NodePort(number: $0, protocolName: "\(port.protocol)") }
        }
      })
    nodePorts = statedNodePorts
  }
}

extension String {
  fileprivate var protocolPart: String { split(separator: "/").last.map(String.init) ?? "" }
}
