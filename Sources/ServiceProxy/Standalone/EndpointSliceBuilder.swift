import KubeModel

/// What the EndpointSlice controller does in a cluster, for the pods of one node: a Service with a selector gets one slice
/// per IP family (and per distinct set of target ports) from the pods it selects.
public struct EndpointSliceBuilder: Sendable {
  public var nodeName: String
  /// The node's zone label.
  public var zone: String?

  public init(nodeName: String, zone: String? = nil) {
    self.nodeName = nodeName
    self.zone = zone
  }

  /// The slices of `service`; empty when it has no selector (its slices are then written by hand).
  public func slices(for service: Service, pods: some Sequence<LocalPod>) -> [EndpointSlice] {
    guard !service.spec.selector.isEmpty, service.spec.type != .externalName else { return [] }
    let selected = pods.filter { $0.namespace == service.metadata.namespace && selects(service.spec.selector, $0.labels) }
      .sorted { $0.uid < $1.uid }
    var slices: [EndpointSlice] = []
    for family in families(of: service.spec) {
      // A named target port may be another number in each pod: pods with the same numbers share a slice, as upstream.
      var byPorts: [[EndpointPort]: [Endpoint]] = [:]
      for pod in selected {
        guard let address = pod.addresses.first(where: { $0.family == family }) else { continue }
        byPorts[ports(of: service, in: pod), default: []].append(endpoint(pod, address, service))
      }
      for (ports, endpoints) in byPorts where !ports.isEmpty {
        slices.append(slice(of: service, family: family, ports: ports, endpoints: endpoints))
      }
    }
    return slices.sorted { $0.metadata.name < $1.metadata.name }
  }

  /// Those the Service has addresses of, else those it asks for; a headless one that leaves it open may be asked for by both.
  private func families(of spec: ServiceSpec) -> [IPFamily] {
    let stated = spec.clusterIPs.isEmpty ? spec.ipFamilies : spec.clusterIPs.map(\.family)
    return stated.isEmpty ? IPFamily.allCases : IPFamily.allCases.filter(stated.contains)
  }

  func selects(_ selector: [String: String], _ labels: [String: String]) -> Bool {
    selector.allSatisfy { labels[$0.key] == $0.value }
  }

  /// A pod that lacks a named port is no endpoint of that service port.
  private func ports(of service: Service, in pod: LocalPod) -> [EndpointPort] {
    service.spec.ports.compactMap { port in
      switch port.targetPort {
      case .int(let number):
        guard let target = UInt16(exactly: number) else { return nil }
        return EndpointPort(name: port.name, protocol: port.protocol, port: target, appProtocol: port.appProtocol)
      case .string(let name):
        guard let target = pod.ports.first(where: { $0.name == name && $0.ipProtocol == port.protocol }) else { return nil }
        return EndpointPort(name: port.name, protocol: port.protocol, port: target.number, appProtocol: port.appProtocol)
      }
    }
  }

  private func endpoint(_ pod: LocalPod, _ address: IPAddress, _ service: Service) -> Endpoint {
    let ready = service.spec.publishNotReadyAddresses || (pod.isReady && !pod.isTerminating)
    return Endpoint(
      addresses: [address],
      conditions: EndpointConditions(ready: ready, serving: pod.isReady, terminating: pod.isTerminating),
      nodeName: nodeName, zone: zone, hints: ready ? hints(service.spec.trafficDistribution) : EndpointHints(),
      targetRef: ObjectReference(kind: "Pod", namespace: pod.namespace, name: pod.name, uid: pod.uid))
  }

  /// As the EndpointSlice controller: ready endpoints are meant for where they are.
  private func hints(_ wish: TrafficDistribution?) -> EndpointHints {
    guard let wish else { return EndpointHints() }
    return EndpointHints(forZones: zone.map { [$0] } ?? [], forNodes: wish == .preferSameNode ? [nodeName] : [])
  }

  private func slice(of service: Service, family: IPFamily, ports: [EndpointPort], endpoints: [Endpoint]) -> EndpointSlice {
    // Names of Services and ports cannot hold a dot: no two Services and no two sets of ports make the same name.
    let numbers = ports.map { port in
      let number = port.port.map { "\($0)" } ?? ""
      return port.name.isEmpty ? number : "\(port.name)-\(number)"
    }.joined(separator: ".")
    return EndpointSlice(
      metadata: ObjectMeta(
        name: "\(service.metadata.name)-\(family == .v4 ? "ipv4" : "ipv6").\(numbers)", namespace: service.metadata.namespace,
        labels: [
          EndpointSlice.serviceNameLabel: service.metadata.name,
          "endpointslice.kubernetes.io/managed-by": "swiftlet",
        ]),
      addressType: family == .v4 ? .ipv4 : .ipv6, endpoints: endpoints, ports: ports)
  }
}
