/// Some of the endpoints behind one Service.
public struct EndpointSlice: Sendable {
  /// The label that names the Service a slice belongs to.
  public static let serviceNameLabel = "kubernetes.io/service-name"

  public var metadata: ObjectMeta
  public var addressType: AddressType
  public var endpoints: [Endpoint]
  public var ports: [EndpointPort]
  /// Provenance only: takes no part in equality.
  public var source: ManifestSource

  /// The Service of the same namespace these endpoints belong to, from the label.
  public var serviceName: String? { metadata.labels[EndpointSlice.serviceNameLabel] }

  public init(
    metadata: ObjectMeta, addressType: AddressType, endpoints: [Endpoint] = [], ports: [EndpointPort] = [],
    source: ManifestSource = ManifestSource()
  ) {
    self.metadata = metadata
    self.addressType = addressType
    self.endpoints = endpoints
    self.ports = ports
    self.source = source
  }
}

extension EndpointSlice: Hashable {
  public static func == (left: EndpointSlice, right: EndpointSlice) -> Bool {
    left.addressType == right.addressType && left.metadata == right.metadata && left.ports == right.ports
      && left.endpoints == right.endpoints
  }

  public func hash(into hasher: inout Hasher) {
    hasher.combine(metadata)
    hasher.combine(endpoints)
    hasher.combine(ports)
  }
}

/// What the addresses of a slice are. Slices of type `FQDN` carry no endpoint a proxy can use.
public enum AddressType: String, Sendable, Hashable, CaseIterable {
  case ipv4 = "IPv4"
  case ipv6 = "IPv6"
  case fqdn = "FQDN"

  /// The family of the addresses, nil for names.
  public var family: IPFamily? {
    switch self {
    case .ipv4: .v4
    case .ipv6: .v6
    case .fqdn: nil
    }
  }
}

/// One place traffic may go to.
public struct Endpoint: Sendable, Hashable {
  /// All of the slice's family. The first one is used, as kube-proxy does; empty in an `FQDN` slice.
  public var addresses: [IPAddress]
  public var conditions: EndpointConditions
  public var hostname: String?
  public var nodeName: String?
  public var zone: String?
  public var hints: EndpointHints
  public var targetRef: ObjectReference?

  public init(
    addresses: [IPAddress] = [], conditions: EndpointConditions = EndpointConditions(), hostname: String? = nil, nodeName: String? = nil,
    zone: String? = nil, hints: EndpointHints = EndpointHints(), targetRef: ObjectReference? = nil
  ) {
    self.addresses = addresses
    self.conditions = conditions
    self.hostname = hostname
    self.nodeName = nodeName
    self.zone = zone
    self.hints = hints
    self.targetRef = targetRef
  }
}

/// State of an endpoint; nil where the writer said nothing.
public struct EndpointConditions: Sendable, Hashable {
  /// Nil is to be read as true.
  public var ready: Bool?
  /// Nil is to be read as true, as kube-proxy does.
  public var serving: Bool?
  /// Nil is to be read as false.
  public var terminating: Bool?

  public var isReady: Bool { ready ?? true }
  public var isServing: Bool { serving ?? true }
  public var isTerminating: Bool { terminating ?? false }

  public init(ready: Bool? = nil, serving: Bool? = nil, terminating: Bool? = nil) {
    self.ready = ready
    self.serving = serving
    self.terminating = terminating
  }
}

/// The zones and nodes that should use an endpoint; empty when there is no hint.
public struct EndpointHints: Sendable, Hashable {
  public var forZones: [String]
  public var forNodes: [String]

  public init(forZones: [String] = [], forNodes: [String] = []) {
    self.forZones = forZones
    self.forNodes = forNodes
  }
}

/// The object behind an endpoint.
public struct ObjectReference: Sendable, Hashable {
  public var kind: String
  public var namespace: String
  public var name: String
  public var uid: String

  public init(kind: String = "", namespace: String = "", name: String = "", uid: String = "") {
    self.kind = kind
    self.namespace = namespace
    self.name = name
    self.uid = uid
  }
}

/// One port all endpoints of a slice serve.
public struct EndpointPort: Sendable, Hashable {
  /// Matches `ServicePort.name`; empty for the unnamed port.
  public var name: String
  public var `protocol`: IPProtocol
  /// Nil means every port, which a node's proxy cannot serve.
  public var port: UInt16?
  public var appProtocol: String?

  public init(name: String = "", protocol: IPProtocol = .tcp, port: UInt16?, appProtocol: String? = nil) {
    self.name = name
    self.protocol = `protocol`
    self.port = port
    self.appProtocol = appProtocol
  }
}
