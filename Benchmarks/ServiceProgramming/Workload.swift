import KubeModel
import ServiceProxy

/// The Services that are programmed: one cluster address and one port each, endpoints elsewhere.
struct Workload {
  var services: Int
  var endpoints: Int

  /// All of them as sources hand them over.
  var everything: [ServiceChange] { (0..<services).flatMap { [.service(service($0)), .slice(slice($0, round: 0))] } }

  /// Moves the first endpoint of one Service.
  /// - Parameters:
  ///   - number: of the change; which Service it is of follows from that, and it looks like chance.
  ///   - round: not 0, and another one for each change of a Service.
  func change(_ number: Int, round: Int) -> ServiceChange { .slice(slice(number * 104_729 % services, round: round)) }

  private func service(_ index: Int) -> Service {
    let address = IPAddress(v4: 0xAC10_0000 + UInt32(index) + 1)
    return Service(
      metadata: ObjectMeta(name: "svc-\(index)", namespace: "bench"),
      spec: ServiceSpec(clusterIPs: [address], ports: [ServicePort(name: "http", port: 80)]))
  }

  private func slice(_ index: Int, round: Int) -> EndpointSlice {
    let addresses = (0..<endpoints).map { number in
      IPAddress(v4: 0x0A80_0000 + UInt32((index * endpoints + number + (number == 0 ? round * 131 : 0)) % 0x7F_FFFF) + 1)
    }
    return EndpointSlice(
      metadata: ObjectMeta(name: "svc-\(index)-a", namespace: "bench", labels: [EndpointSlice.serviceNameLabel: "svc-\(index)"]),
      addressType: .ipv4, endpoints: addresses.map { Endpoint(addresses: [$0], conditions: EndpointConditions(ready: true)) },
      ports: [EndpointPort(name: "http", port: 8080)])
  }
}
