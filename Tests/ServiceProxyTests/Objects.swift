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
  ports: [ServicePort] = [ServicePort(port: 80)], ingress: [LoadBalancerIngress] = [], _ change: (inout ServiceSpec) -> Void = { _ in }
) -> Service {
  var spec = ServiceSpec(clusterIPs: addresses.map(ip), ports: ports)
  change(&spec)
  return Service(
    metadata: ObjectMeta(name: name, namespace: namespace, labels: labels), spec: spec,
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

func endpoint(_ address: String, _ condition: Condition = .ready, on node: String? = elsewhere) -> Endpoint {
  Endpoint(addresses: [ip(address)], conditions: condition.conditions, nodeName: node)
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
