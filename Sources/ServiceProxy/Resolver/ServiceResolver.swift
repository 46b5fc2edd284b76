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
    resolution.issues = support.issues + foreignAddresses(of: service)
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

  /// A Service is served in the families it has cluster addresses of; whatever else it names follows these.
  func families(of spec: ServiceSpec) -> [IPFamily] {
    IPFamily.allCases.filter { family in spec.clusterIPs.contains { $0.family == family } }
  }

  /// Addresses given in a family the Service is not served in. As upstream they are not programmed; here that is said.
  private func foreignAddresses(of service: Service) -> [ServiceIssue] {
    let families = families(of: service.spec)
    func issue(_ address: IPAddress?, _ path: String) -> ServiceIssue? {
      guard let address, !families.contains(address.family) else { return nil }
      return ServiceIssue(
        fieldPath: path, reason: "\(address) is not programmed: the Service has no \(address.family.rawValue) cluster address")
    }
    let external = service.spec.externalIPs.enumerated().compactMap { issue($1, "spec.externalIPs[\($0)]") }
    let balancers = service.status.loadBalancerIngress.enumerated().compactMap {
      issue($1.ip, "status.loadBalancer.ingress[\($0)].ip")
    }
    return external + balancers
  }

  private func resolve(
    _ port: ServicePort, at index: Int, of service: Service, family: IPFamily, slices: [EndpointSlice], support: ServiceSupport
  ) -> ResolvedServicePort? {
    let endpoints = EndpointSelection(port: port, slices: slices, spec: service.spec, nodeName: nodeName).endpoints
    let frontends = frontends(of: service, port: port, family: family, support: support, hasEndpoints: !endpoints.isEmpty)
    guard !frontends.isEmpty else { return nil }
    return ResolvedServicePort(
      key: "\(service.metadata.namespacedName):\(port.name)/\(port.protocol)/\(family == .v4 ? "4" : "6")", family: family,
      ipProtocol: port.protocol, frontends: frontends, endpoints: endpoints)
  }

  /// - Parameter hasEndpoints: whether any endpoint of the port could answer anywhere in the cluster.
  private func frontends(
    of service: Service, port: ServicePort, family: IPFamily, support: ServiceSupport, hasEndpoints: Bool
  ) -> [ResolvedServicePort.Frontend] {
    let spec = service.spec
    let external: ResolvedServicePort.Frontend.Selection = spec.externalTrafficPolicy == .local ? .local : .cluster
    let `internal`: ResolvedServicePort.Frontend.Selection = spec.internalTrafficPolicy == .local ? .local : .cluster
    // A Local policy keeps the client's address, so nothing is masqueraded.
    let externalMasquerade: ResolvedServicePort.Frontend.Masquerade = external == .local ? .hairpin : .always
    // As upstream: where only other nodes have endpoints, silence lets the client (or its balancer's health check) move on;
    // where nobody has any, the client is told so.
    func whenEmpty(_ selection: ResolvedServicePort.Frontend.Selection) -> ResolvedServicePort.Frontend.WhenEmpty {
      selection == .local && hasEndpoints ? .drop : .refuse
    }

    var frontends: [ResolvedServicePort.Frontend] = []
    for address in spec.clusterIPs where address.family == family {
      frontends.append(
        .init(
          kind: .clusterIP, address: address, port: port.port, masquerade: .fromOutside, selection: `internal`,
          whenEmpty: whenEmpty(`internal`)))
    }
    for address in spec.externalIPs where address.family == family {
      frontends.append(
        .init(
          kind: .externalIP, address: address, port: port.port, masquerade: externalMasquerade, selection: external,
          whenEmpty: whenEmpty(external)))
    }
    if support.programsLoadBalancer {
      for ingress in service.status.loadBalancerIngress where ingress.ipMode == .vip {
        guard let address = ingress.ip, address.family == family else { continue }
        frontends.append(
          .init(
            kind: .loadBalancer, address: address, port: port.port, masquerade: externalMasquerade, selection: external,
            whenEmpty: whenEmpty(external)))
      }
    }
    if let nodePort = port.nodePort {
      frontends.append(
        .init(
          kind: .nodePort, address: nil, port: nodePort, masquerade: externalMasquerade, selection: external,
          whenEmpty: whenEmpty(external)))
    }
    return withoutDuplicates(frontends)
  }

  /// An address may be given twice, as external address and by the load balancer: the first meaning holds, and no backend
  /// sees a front end twice.
  private func withoutDuplicates(_ frontends: [ResolvedServicePort.Frontend]) -> [ResolvedServicePort.Frontend] {
    var seen: Set<IPAddress> = []
    return frontends.filter { $0.address.map { seen.insert($0).inserted } ?? true }
  }
}
