import KubeModel

/// Turns one Service and its EndpointSlices into what this node's kernel must do. A function of values: no I/O, no clock,
/// no memory of earlier calls.
public struct ServiceResolver: Sendable {
  /// EndpointSlices name the node an endpoint runs on; this is ours.
  public var nodeName: String

  public init(nodeName: String) { self.nodeName = nodeName }

  /// What came of one Service.
  public struct Resolution: Sendable, Equatable {
    public var ports: [ResolvedServicePort] = []
    /// Parts of the Service that are not programmed, with field path and reason.
    public var issues: [ServiceIssue] = []

    public init(ports: [ResolvedServicePort] = [], issues: [ServiceIssue] = []) {
      self.ports = ports
      self.issues = issues
    }
  }

  public func resolve(_ service: Service, slices: some Sequence<EndpointSlice>) -> Resolution {
    var resolution = Resolution()
    guard isProxied(service) else { return resolution }
    let support = ServiceSupport(service.spec)
    resolution.issues = support.issues
    guard support.isUsable else { return resolution }

    var candidates: [IPFamily: [EndpointSlice]] = [:]
    for slice in slices {
      guard let family = slice.addressType.family else { continue }
      candidates[family, default: []].append(slice)
    }
    for family in families(of: service.spec) {
      for (index, port) in service.spec.ports.enumerated() {
        let resolved = resolve(port, at: index, of: service, family: family, slices: candidates[family] ?? [], support: support)
        if let resolved { resolution.ports.append(resolved) }
      }
    }
    return resolution
  }

  /// Headless and ExternalName Services have no address to program; one labelled for another proxy is left to it.
  func isProxied(_ service: Service) -> Bool {
    service.spec.type != .externalName && !service.spec.isHeadless
      && service.metadata.labels["service.kubernetes.io/service-proxy-name"] == nil
  }

  func families(of spec: ServiceSpec) -> [IPFamily] {
    var families: [IPFamily] = []
    for family in spec.clusterIPs.map(\.family) + spec.externalIPs.map(\.family) where !families.contains(family) {
      families.append(family)
    }
    return families
  }

  private func resolve(
    _ port: ServicePort, at index: Int, of service: Service, family: IPFamily, slices: [EndpointSlice], support: ServiceSupport
  ) -> ResolvedServicePort? {
    let selected = EndpointSelection(port: port, slices: slices, spec: service.spec, nodeName: nodeName)
    let frontends = frontends(of: service, port: port, family: family, support: support)
    guard !frontends.isEmpty else { return nil }
    return ResolvedServicePort(
      key: "\(service.metadata.namespacedName):\(port.name)/\(port.protocol)/\(family == .v4 ? "4" : "6")", family: family,
      ipProtocol: port.protocol, frontends: frontends, endpoints: selected.endpoints)
  }

  private func frontends(
    of service: Service, port: ServicePort, family: IPFamily, support: ServiceSupport
  ) -> [ResolvedServicePort.Frontend] {
    let spec = service.spec
    let external: ResolvedServicePort.Frontend.Selection = spec.externalTrafficPolicy == .local ? .local : .cluster
    let `internal`: ResolvedServicePort.Frontend.Selection = spec.internalTrafficPolicy == .local ? .local : .cluster
    // A Local policy keeps the client's address, so nothing is masqueraded, and silence lets the balancer's health check
    // move the client on; upstream drops there too.
    let externalMasquerade: ResolvedServicePort.Frontend.Masquerade = external == .local ? .hairpin : .always
    let externalEmpty: ResolvedServicePort.Frontend.WhenEmpty = external == .local ? .drop : .refuse

    var frontends: [ResolvedServicePort.Frontend] = []
    for address in spec.clusterIPs where address.family == family {
      frontends.append(
        .init(
          kind: .clusterIP, address: address, port: port.port, masquerade: .fromOutside, selection: `internal`,
          whenEmpty: `internal` == .local ? .drop : .refuse))
    }
    for address in spec.externalIPs where address.family == family {
      frontends.append(
        .init(
          kind: .externalIP, address: address, port: port.port, masquerade: externalMasquerade, selection: external,
          whenEmpty: externalEmpty))
    }
    if support.programsLoadBalancer {
      for ingress in service.status.loadBalancerIngress where ingress.ipMode == .vip {
        guard let address = ingress.ip, address.family == family else { continue }
        frontends.append(
          .init(
            kind: .loadBalancer, address: address, port: port.port, masquerade: externalMasquerade, selection: external,
            whenEmpty: externalEmpty))
      }
    }
    if let nodePort = port.nodePort {
      frontends.append(
        .init(
          kind: .nodePort, address: nil, port: nodePort, masquerade: externalMasquerade, selection: external,
          whenEmpty: externalEmpty))
    }
    return frontends
  }
}
