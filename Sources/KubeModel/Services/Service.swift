/// A stable address in front of pods. Decoded in full; what the node's proxy supports is the resolver's decision.
public struct Service: Sendable {
  public var metadata: ObjectMeta
  public var spec: ServiceSpec
  public var status: ServiceStatus
  /// Provenance only: takes no part in equality.
  public var source: ManifestSource

  public init(
    metadata: ObjectMeta, spec: ServiceSpec, status: ServiceStatus = ServiceStatus(), source: ManifestSource = ManifestSource()
  ) {
    self.metadata = metadata
    self.spec = spec
    self.status = status
    self.source = source
  }
}

extension Service: Hashable {
  public static func == (left: Service, right: Service) -> Bool {
    left.metadata == right.metadata && left.spec == right.spec && left.status == right.status
  }

  public func hash(into hasher: inout Hasher) {
    hasher.combine(metadata)
    hasher.combine(spec)
  }
}

/// What a Service shall do.
public struct ServiceSpec: Sendable, Hashable {
  public var type: ServiceType
  /// The cluster addresses given (`clusterIP` and `clusterIPs` in one list, at most one of each family); empty when none
  /// is assigned yet or the Service is headless.
  public var clusterIPs: [IPAddress]
  /// Whether `clusterIP: None` was written.
  public var isHeadless: Bool
  /// Empty when the manifest leaves the choice open.
  public var ipFamilies: [IPFamily]
  public var ipFamilyPolicy: IPFamilyPolicy?
  public var ports: [ServicePort]
  public var selector: [String: String]
  public var externalIPs: [IPAddress]
  public var externalName: String?
  public var sessionAffinity: ServiceAffinity
  /// How long a client stays with its endpoint, 1…86400 s; used with `ClientIP` only.
  public var sessionAffinityTimeoutSeconds: Int32
  public var externalTrafficPolicy: ServiceTrafficPolicy
  public var internalTrafficPolicy: ServiceTrafficPolicy
  public var trafficDistribution: TrafficDistribution?
  public var publishNotReadyAddresses: Bool
  public var loadBalancerIP: IPAddress?
  public var loadBalancerClass: String?
  public var loadBalancerSourceRanges: [CIDR]
  public var allocateLoadBalancerNodePorts: Bool
  public var healthCheckNodePort: UInt16?

  /// The first cluster address, the one `clusterIP` shows.
  public var clusterIP: IPAddress? { clusterIPs.first }

  public init(
    type: ServiceType = .clusterIP, clusterIPs: [IPAddress] = [], isHeadless: Bool = false, ipFamilies: [IPFamily] = [],
    ipFamilyPolicy: IPFamilyPolicy? = nil, ports: [ServicePort] = [], selector: [String: String] = [:], externalIPs: [IPAddress] = [],
    externalName: String? = nil, sessionAffinity: ServiceAffinity = .none, sessionAffinityTimeoutSeconds: Int32 = 10800,
    externalTrafficPolicy: ServiceTrafficPolicy = .cluster, internalTrafficPolicy: ServiceTrafficPolicy = .cluster,
    trafficDistribution: TrafficDistribution? = nil, publishNotReadyAddresses: Bool = false, loadBalancerIP: IPAddress? = nil,
    loadBalancerClass: String? = nil, loadBalancerSourceRanges: [CIDR] = [], allocateLoadBalancerNodePorts: Bool = true,
    healthCheckNodePort: UInt16? = nil
  ) {
    self.type = type
    self.clusterIPs = clusterIPs
    self.isHeadless = isHeadless
    self.ipFamilies = ipFamilies
    self.ipFamilyPolicy = ipFamilyPolicy
    self.ports = ports
    self.selector = selector
    self.externalIPs = externalIPs
    self.externalName = externalName
    self.sessionAffinity = sessionAffinity
    self.sessionAffinityTimeoutSeconds = sessionAffinityTimeoutSeconds
    self.externalTrafficPolicy = externalTrafficPolicy
    self.internalTrafficPolicy = internalTrafficPolicy
    self.trafficDistribution = trafficDistribution
    self.publishNotReadyAddresses = publishNotReadyAddresses
    self.loadBalancerIP = loadBalancerIP
    self.loadBalancerClass = loadBalancerClass
    self.loadBalancerSourceRanges = loadBalancerSourceRanges
    self.allocateLoadBalancerNodePorts = allocateLoadBalancerNodePorts
    self.healthCheckNodePort = healthCheckNodePort
  }
}

/// One port of a Service.
public struct ServicePort: Sendable, Hashable {
  /// Empty for the only port of a Service that names none.
  public var name: String
  public var `protocol`: IPProtocol
  public var port: UInt16
  /// The number or the container port's name behind it; `port` itself when the manifest says nothing.
  public var targetPort: IntOrString
  /// The port on every node, nil when none was asked for.
  public var nodePort: UInt16?
  public var appProtocol: String?

  public init(
    name: String = "", protocol: IPProtocol = .tcp, port: UInt16, targetPort: IntOrString? = nil, nodePort: UInt16? = nil,
    appProtocol: String? = nil
  ) {
    self.name = name
    self.protocol = `protocol`
    self.port = port
    self.targetPort = targetPort ?? .int(Int32(port))
    self.nodePort = nodePort
    self.appProtocol = appProtocol
  }
}

/// What a load balancer reported back.
public struct ServiceStatus: Sendable, Hashable {
  public var loadBalancerIngress: [LoadBalancerIngress]

  public init(loadBalancerIngress: [LoadBalancerIngress] = []) { self.loadBalancerIngress = loadBalancerIngress }
}

/// One entry point of a load balancer.
public struct LoadBalancerIngress: Sendable, Hashable {
  public var ip: IPAddress?
  public var hostname: String?
  public var ipMode: LoadBalancerIPMode

  public init(ip: IPAddress? = nil, hostname: String? = nil, ipMode: LoadBalancerIPMode = .vip) {
    self.ip = ip
    self.hostname = hostname
    self.ipMode = ipMode
  }
}
