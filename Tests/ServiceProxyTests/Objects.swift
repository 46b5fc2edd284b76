import KubeModel
import ServiceProxy
import Testing

/// The node the tests run "on".
let here = "node-a"
let elsewhere = "node-b"
let resolver = ServiceResolver(nodeName: here)

/// Short words for addresses the tests write down themselves.
func ip(_ text: String) -> IPAddress {
  guard let address = IPAddress(text) else { preconditionFailure("\(text) is no address") }
  return address
}

func cidr(_ text: String) -> CIDR {
  guard let range = CIDR(text) else { preconditionFailure("\(text) is no network") }
  return range
}

/// A Service with one TCP port 80 unless told otherwise.
func service(
  _ name: String = "web", _ addresses: [String] = ["10.96.0.10"], namespace: String = "default", labels: [String: String] = [:],
  annotations: [String: String] = [:], created: Int64? = nil, ports: [ServicePort] = [ServicePort(port: 80)],
  ingress: [LoadBalancerIngress] = [], _ change: (inout ServiceSpec) -> Void = { _ in }
) -> Service {
  var spec = ServiceSpec(clusterIPs: addresses.map(ip), ports: ports)
  change(&spec)
  return Service(
    metadata: ObjectMeta(name: name, namespace: namespace, labels: labels, annotations: annotations, creationTimestamp: created),
    spec: spec,
    status: ServiceStatus(loadBalancerIngress: ingress))
}

/// The slice "web-1" of the Service "web".
func slice(ports: [EndpointPort] = [EndpointPort(port: 8080)], _ endpoints: Endpoint...) -> EndpointSlice {
  slice("web-1", of: "web", ports: ports, endpoints: endpoints)
}

/// A slice of `service` whose endpoints serve port 8080 unless told otherwise.
func slice(
  _ name: String, of service: String = "web", namespace: String = "default", family: AddressType = .ipv4,
  ports: [EndpointPort] = [EndpointPort(port: 8080)], _ endpoints: Endpoint...
) -> EndpointSlice {
  slice(name, of: service, namespace: namespace, family: family, ports: ports, endpoints: endpoints)
}

func slice(
  _ name: String, of service: String, namespace: String = "default", family: AddressType = .ipv4,
  ports: [EndpointPort] = [EndpointPort(port: 8080)], endpoints: [Endpoint]
) -> EndpointSlice {
  EndpointSlice(
    metadata: ObjectMeta(name: name, namespace: namespace, labels: [EndpointSlice.serviceNameLabel: service]), addressType: family,
    endpoints: endpoints, ports: ports)
}

/// What a pod is in, as the EndpointSlice controller writes it.
enum Condition {
  case ready, notReady, draining, gone

  var conditions: EndpointConditions {
    switch self {
    case .ready: EndpointConditions(ready: true, serving: true, terminating: false)
    case .notReady: EndpointConditions(ready: false, serving: false, terminating: false)
    case .draining: EndpointConditions(ready: false, serving: true, terminating: true)
    case .gone: EndpointConditions(ready: false, serving: false, terminating: true)
    }
  }
}

func endpoint(
  _ address: String, _ condition: Condition = .ready, on node: String? = elsewhere, zones: [String] = [], nodes: [String] = []
) -> Endpoint {
  Endpoint(
    addresses: [ip(address)], conditions: condition.conditions, nodeName: node, hints: EndpointHints(forZones: zones, forNodes: nodes))
}

/// The same places in both families, for tests that hold in each.
struct Places: Sendable, CustomTestStringConvertible {
  var family: IPFamily
  var cluster: String
  var external: String
  var balancer: String
  var node: String
  var type: AddressType
  private var podPrefix: String
  private var outsidePrefix: String
  private var bits: Int

  static let both = [
    Places(
      family: .v4, cluster: "10.96.0.10", external: "192.0.2.7", balancer: "198.51.100.1", node: "172.16.0.1", type: .ipv4,
      podPrefix: "10.1.0.", outsidePrefix: "203.0.113.", bits: 24),
    Places(
      family: .v6, cluster: "fd00::10", external: "2001:db8:1::7", balancer: "2001:db8:2::1", node: "fd00:16::1", type: .ipv6,
      podPrefix: "fd01::", outsidePrefix: "2001:db8:3::", bits: 64),
  ]

  var other: Places { Places.both[family == .v4 ? 1 : 0] }
  var testDescription: String { family.rawValue }

  func pod(_ number: Int) -> String { "\(podPrefix)\(number)" }
  func outside(_ number: Int) -> String { "\(outsidePrefix)\(number)" }
  var pods: CIDR { cidr("\(podPrefix)0/\(bits)") }
  var outsiders: CIDR { cidr("\(outsidePrefix)0/\(bits)") }
  var everybody: CIDR { cidr(family == .v4 ? "0.0.0.0/0" : "::/0") }
  func only(_ address: String) -> CIDR { cidr("\(address)/\(family.bitWidth)") }
  func onNode(_ change: (inout NodeView) -> Void = { _ in }) -> ServiceResolver {
    var view = NodeView(name: here, addresses: [ip(node)], podDetection: .networks([pods]))
    change(&view)
    return ServiceResolver(node: view)
  }

  /// A LoadBalancer Service "web" with a front end of every kind.
  func everyKind(_ change: (inout ServiceSpec) -> Void = { _ in }) -> Service {
    service(
      "web", [cluster], ports: [ServicePort(port: 80, nodePort: 30080)], ingress: [LoadBalancerIngress(ip: ip(balancer))]
    ) {
      $0.type = .loadBalancer
      $0.externalIPs = [ip(external)]
      $0.healthCheckNodePort = 32000
      change(&$0)
    }
  }

  func slice(_ endpoints: Endpoint...) -> EndpointSlice {
    ServiceProxyTests.slice("web-1", of: "web", family: type, endpoints: endpoints)
  }
}

extension ServiceResolver.Resolution {
  /// "10.96.0.10:80" for each front end; "node:30080" for a node port.
  var frontends: [String] {
    ports.flatMap(\.frontends).map { "\($0.address.map { "\($0)" } ?? "node"):\($0.port)" }
  }

  /// Endpoints that answer at front ends of the cluster, and those that answer at local ones.
  var cluster: [String] { ports.flatMap(\.endpoints).filter(\.servesCluster).map { "\($0.address):\($0.port)" } }
  var local: [String] { ports.flatMap(\.endpoints).filter(\.servesLocal).map { "\($0.address):\($0.port)" } }
}

extension ServiceTable {
  /// The next batch; a failure when there is none.
  mutating func requireBatch(_ generation: UInt64) throws -> ProxyBatch {
    let batch = takeBatch(generation: generation)
    return try #require(batch, "nothing changed")
  }
}

/// Repeats with its seed, which the failure names.
struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
}
