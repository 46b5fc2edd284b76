import KubeModel

/// Turns one Service and its EndpointSlices into what this node's kernel must do. A function of values: no I/O, no clock,
/// no memory of earlier calls.
public struct ServiceResolver: Sendable {
  /// In one place: it is handed on for each service port.
  private var view: Shared<NodeView>

  public var node: NodeView {
    get { view.value }
    set { view = Shared(newValue) }
  }

  public init(node: NodeView) { view = Shared(node) }

  /// For a node nothing but the name of is known.
  public init(nodeName: String) { self.init(node: NodeView(name: nodeName)) }

  /// What came of one Service.
  public struct Resolution: Sendable, Equatable {
    public var ports: [ResolvedServicePort] = []
    /// What is not programmed, with field path and reason.
    public var issues: [ServiceIssue] = []
    /// What balancers ask this node for the Service; `nil`: nothing.
    public var healthCheck: HealthCheck?

    public init(ports: [ResolvedServicePort] = [], issues: [ServiceIssue] = [], healthCheck: HealthCheck? = nil) {
      self.ports = ports
      self.issues = issues
      self.healthCheck = healthCheck
    }
  }

  public func resolve(_ service: Service, slices: some Sequence<EndpointSlice>) -> Resolution {
    resolve(Shared(service), named: service.metadata.namespacedName, slices: slices.map { Shared($0) })
  }

  /// The same of objects that are kept elsewhere. A full load resolves every Service: nothing is copied or made here that only a
  /// few of them need.
  /// - Parameter name: "namespace/name", which is kept too.
  func resolve(_ service: Shared<Service>, named name: String, slices: [Shared<EndpointSlice>]) -> Resolution {
    var resolution = Resolution()
    guard isProxied(service.value) else { return resolution }
    var slices = slices
    if slices.count > 1 { slices.sort { $0.value.metadata.name < $1.value.metadata.name } }
    let stated = SourceRanges.Stated(service)
    noteIssues(of: service, stated, slices, in: &resolution.issues)
    for family in [IPFamily.v4, .v6] where service.value.spec.isServed(in: family) {
      let own =
        slices.allSatisfy { $0.value.addressType.family == family } ? slices : slices.filter { $0.value.addressType.family == family }
      let frontends = ServiceFrontends(of: service, family: family, stated: stated, node: view.value)
      if frontends.ranges.isChecked, frontends.ranges.networks.isEmpty {
        resolution.issues.append(
          ServiceIssue(
            fieldPath: "spec.loadBalancerSourceRanges",
            reason: "no range is of \(family.rawValue): nobody is served at the balancer's \(family.rawValue) addresses"))
      }
      for index in service.value.spec.ports.indices {
        resolve(service.value.spec.ports[index], of: service, name, slices: own, frontends: frontends, into: &resolution.ports)
      }
    }
    guard service.value.needsHealthCheck else { return resolution }
    resolution.healthCheck = healthCheck(of: service, slices: slices)
    if resolution.healthCheck == nil {
      resolution.issues.append(
        ServiceIssue(fieldPath: "spec.healthCheckNodePort", reason: "none is given: balancers cannot ask which nodes have endpoints"))
    }
    return resolution
  }

  private func noteIssues(
    of service: Shared<Service>, _ stated: SourceRanges.Stated, _ slices: [Shared<EndpointSlice>], in issues: inout [ServiceIssue]
  ) {
    if !service.value.spec.externalIPs.isEmpty || !service.value.status.loadBalancerIngress.isEmpty {
      issues += foreignAddresses(of: service.value)
    }
    if !stated.issues.isEmpty { issues += stated.issues }
    for slice in slices { SliceCheck.note(slice, in: &issues) }
  }

  func isProxied(_ service: Service) -> Bool { exclusion(of: service) == nil }

  /// Why nothing is programmed for a Service, by what it is; `nil`: it is one to program.
  public func exclusion(of service: Service) -> String? {
    if service.spec.type == .externalName { return "type ExternalName: clients get another name from DNS" }
    if service.spec.isHeadless { return "headless: clients get the addresses of pods from DNS" }
    if let other = service.metadata.labels["service.kubernetes.io/service-proxy-name"] { return "left to the proxy \"\(other)\"" }
    return service.spec.clusterIPs.isEmpty ? "it has no cluster address yet" : nil
  }

  /// A Service is served in the families it has cluster addresses of; whatever else it names follows these.
  func families(of spec: ServiceSpec) -> [IPFamily] {
    IPFamily.allCases.filter { spec.isServed(in: $0) }
  }

  /// "namespace/name:port/TCP/4"
  /// - Parameter service: "namespace/name"
  static func key(of port: ServicePort, _ service: String, _ family: IPFamily) -> String {
    String(joining: service, ":", port.name, suffix(port.protocol, family))
  }

  private static func suffix(_ ipProtocol: IPProtocol, _ family: IPFamily) -> String {
    switch ipProtocol {
    case .tcp: family == .v4 ? "/TCP/4" : "/TCP/6"
    case .udp: family == .v4 ? "/UDP/4" : "/UDP/6"
    case .sctp: family == .v4 ? "/SCTP/4" : "/SCTP/6"
    }
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
      $1.ipMode == .vip ? issue($1.ip, "status.loadBalancer.ingress[\($0)].ip") : nil
    }
    return external + balancers
  }

  private func resolve(
    _ port: ServicePort, of service: Shared<Service>, _ name: String, slices: [Shared<EndpointSlice>], frontends: ServiceFrontends,
    into ports: inout [ResolvedServicePort]
  ) {
    let selection = EndpointSelection(port: port, of: service, slices: slices, node: view.value)
    let own = frontends.frontends(of: port, of: service, hasEndpoints: selection.hasEndpoints)
    guard !own.isEmpty else { return }
    let endpoints = selection.endpoints(for: own)
    let isSticky = service.value.spec.sessionAffinity == .clientIP
    // Most have one.
    if ports.isEmpty { ports.reserveCapacity(1) }
    ports.append(
      ResolvedServicePort(
        key: ServiceResolver.key(of: port, name, frontends.family), family: frontends.family, ipProtocol: port.protocol,
        frontends: own, endpoints: endpoints,
        affinitySeconds: isSticky ? UInt32(clamping: service.value.spec.sessionAffinityTimeoutSeconds) : 0,
        sourceRanges: own.contains(where: \.checksSource) ? frontends.ranges.networks : [],
        lingering: port.protocol == .tcp ? [] : selection.lingering(besides: endpoints)))
  }

  private func healthCheck(of service: Shared<Service>, slices: [Shared<EndpointSlice>]) -> HealthCheck? {
    guard let port = service.value.spec.healthCheckNodePort else { return nil }
    var counts: [IPFamily: Int] = [:]
    for family in families(of: service.value.spec) {
      let own = slices.filter { $0.value.addressType.family == family }
      // An address counts once, however many ports it serves.
      let ready = service.value.spec.ports.flatMap { port in
        EndpointCandidate.all(of: port, of: service, in: own, node: view.value).filter { $0.isReady && $0.onNode }.map(\.place.address)
      }
      counts[family] = Set(ready).count
    }
    let metadata = service.value.metadata
    return HealthCheck(port: port, namespace: metadata.namespace, name: metadata.name, localEndpoints: counts)
  }
}

extension Service {
  /// Whether a balancer is to ask each node for its endpoints.
  var needsHealthCheck: Bool { spec.type == .loadBalancer && keepsExternalTrafficLocal }
}

extension ServiceSpec {
  /// A Service is served in the families it has cluster addresses of.
  func isServed(in family: IPFamily) -> Bool { clusterIPs.contains { $0.family == family } }
}
