/// Rules between the fields of a Service. Problems are reported through the reader of its `spec`.
struct ServiceValidation {
  let spec: ServiceSpec
  let reader: FieldReader

  func run() {
    checkType()
    checkPorts()
    checkAddresses()
    checkPolicies()
    for (key, value) in spec.selector {
      reader.check(key, .qualifiedName, ["selector", .key(key)])
      reader.check(value, .labelValue, ["selector", .key(key)])
    }
  }

  private func checkType() {
    switch spec.type {
    case .externalName:
      if let name = spec.externalName {
        reader.check(name.hasSuffix(".") ? String(name.dropLast()) : name, .subdomain, ["externalName"])
      } else {
        reader.report(["externalName"], "required for the type ExternalName")
      }
      if spec.isHeadless || !spec.clusterIPs.isEmpty { reader.report(["clusterIP"], "must not be given for the type ExternalName") }
    case .nodePort, .loadBalancer:
      if spec.isHeadless { reader.report(["clusterIP"], "must not be None for the type \(spec.type.rawValue)") }
    case .clusterIP:
      break
    }
    if spec.ports.isEmpty, !spec.isHeadless, spec.type != .externalName, !reader.hasContent("ports") {
      reader.report(["ports"], "required")
    }
  }

  private struct PortKey: Hashable, CustomStringConvertible {
    let port: UInt16
    let `protocol`: IPProtocol
    var description: String { "\(port)/\(`protocol`)" }
  }

  private func checkPorts() {
    let opensNodePorts = spec.type == .nodePort || spec.type == .loadBalancer
    for (index, port) in spec.ports.enumerated() {
      if port.name.isEmpty, spec.ports.count > 1 {
        reader.report(["ports", .index(index), "name"], "required when there are several ports")
      }
      if port.nodePort != nil, !opensNodePorts {
        reader.report(["ports", .index(index), "nodePort"], "is only for the types NodePort and LoadBalancer")
      }
    }
    reader.checkUnique(spec.ports, by: { $0.name.isEmpty ? nil : $0.name }, field: { ["ports", .index($0), "name"] })
    reader.checkUnique(
      spec.ports, by: { $0.port == 0 ? nil : PortKey(port: $0.port, protocol: $0.protocol) }, field: { ["ports", .index($0), "port"] })
    reader.checkUnique(
      spec.ports, by: { port in port.nodePort.map { PortKey(port: $0, protocol: port.protocol) } },
      field: { ["ports", .index($0), "nodePort"] })
  }

  private func checkAddresses() {
    let places: [FieldPath.Element] = reader.has("clusterIPs") ? ["clusterIPs"] : ["clusterIP"]
    if spec.clusterIPs.count > 2 || (spec.clusterIPs.count == 2 && spec.clusterIPs[0].family == spec.clusterIPs[1].family) {
      reader.report(places, "must be at most one address of each family")
    }
    if spec.ipFamilies.count > 2 || (spec.ipFamilies.count == 2 && spec.ipFamilies[0] == spec.ipFamilies[1]) {
      reader.report(["ipFamilies"], "must be at most one of each family")
    }
    if zip(spec.clusterIPs, spec.ipFamilies).contains(where: { $0.family != $1 }) {
      reader.report(places, "does not fit ipFamilies")
    }
    if spec.ipFamilyPolicy == .singleStack, max(spec.clusterIPs.count, spec.ipFamilies.count) > 1 {
      reader.report(["ipFamilyPolicy"], "must not be SingleStack with two families")
    }
    for (index, address) in spec.clusterIPs.enumerated() where address.isReserved {
      reader.report(places + (reader.has("clusterIPs") ? [.index(index)] : []), "\(address) cannot be a Service's address")
    }
    for (index, address) in spec.externalIPs.enumerated() where address.isReserved {
      reader.report(["externalIPs", .index(index)], "\(address) cannot be a Service's address")
    }
  }

  private func checkPolicies() {
    if reader.has("sessionAffinityConfig"), spec.sessionAffinity == .none {
      reader.report(["sessionAffinityConfig"], "must not be given with session affinity None")
    }
    let isExternal = spec.type == .nodePort || spec.type == .loadBalancer || !spec.externalIPs.isEmpty
    if reader.has("externalTrafficPolicy"), !isExternal {
      reader.report(["externalTrafficPolicy"], "is only for Services reached from outside: NodePort, LoadBalancer or externalIPs")
    }
    if spec.healthCheckNodePort != nil, spec.type != .loadBalancer || spec.externalTrafficPolicy != .local {
      reader.report(["healthCheckNodePort"], "is only for the type LoadBalancer with externalTrafficPolicy Local")
    }
    for field in ["loadBalancerSourceRanges", "loadBalancerClass", "allocateLoadBalancerNodePorts"]
    where spec.type != .loadBalancer && reader.hasContent(field) {
      reader.report([.key(field)], "is only for the type LoadBalancer")
    }
  }
}

extension FieldReader {
  /// Whether the field is there and not an empty list or mapping. Does not mark it.
  func hasContent(_ key: String) -> Bool { pairs.contains { $0.key == key && !$0.value.isNull && !$0.value.isEmptyCollection } }
}

extension IPAddress {
  /// An address that means something else than a host somewhere: no Service and no endpoint can have it.
  var isReserved: Bool { isUnspecified || isLoopback || isLinkLocal || isMulticast }
}
