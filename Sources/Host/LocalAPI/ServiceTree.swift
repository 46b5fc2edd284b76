import KubeModel
import PodAgent

/// Services and events as Kubernetes' API shows them, as trees for JSON and YAML.
package enum ServiceTree {
  package static func list(_ services: [StandaloneNode.ServiceView]) -> TreeValue {
    ["apiVersion": "v1", "kind": "ServiceList", "items": .array(services.map(tree))]
  }

  private static func tree(_ view: StandaloneNode.ServiceView) -> TreeValue {
    let service = view.service
    var spec = TreeObject()
    spec["type"] = .string(service.spec.type.rawValue)
    if service.spec.isHeadless {
      spec["clusterIP"] = "None"
    } else if let address = service.spec.clusterIP {
      spec["clusterIP"] = .string("\(address)")
      spec["clusterIPs"] = .array(service.spec.clusterIPs.map { .string("\($0)") })
    }
    if let name = service.spec.externalName { spec["externalName"] = .string(name) }
    if !service.spec.externalIPs.isEmpty { spec["externalIPs"] = .array(service.spec.externalIPs.map { .string("\($0)") }) }
    spec["ports"] = .array(service.spec.ports.map(port))
    if !service.spec.selector.isEmpty {
      spec["selector"] = .object(
        TreeObject(service.spec.selector.sorted { $0.key < $1.key }.map { .init(key: $0.key, value: .string($0.value)) }))
    }
    var status = TreeObject()
    status["endpoints"] = .array(view.endpoints.map(endpoint))
    let problems = view.issues.map { "\($0)" } + view.failures
    if !problems.isEmpty { status["problems"] = .array(problems.map { .string($0) }) }
    return [
      "apiVersion": "v1", "kind": "Service",
      "metadata": ["name": .string(service.metadata.name), "namespace": .string(service.metadata.namespace)],
      "spec": .object(spec), "status": .object(status),
    ]
  }

  private static func port(_ port: ServicePort) -> TreeValue {
    var object = TreeObject()
    if !port.name.isEmpty { object["name"] = .string(port.name) }
    object["port"] = .int(Int64(port.port))
    object["protocol"] = .string("\(port.protocol)")
    switch port.targetPort {
    case .int(let number): object["targetPort"] = .int(Int64(number))
    case .string(let name): object["targetPort"] = .string(name)
    }
    if let nodePort = port.nodePort { object["nodePort"] = .int(Int64(nodePort)) }
    return .object(object)
  }

  private static func endpoint(_ endpoint: Endpoint) -> TreeValue {
    var object = TreeObject()
    object["address"] = .string(endpoint.addresses.first.map { "\($0)" } ?? "")
    object["ready"] = .bool(endpoint.conditions.isReady)
    if let target = endpoint.targetRef { object["pod"] = .string("\(target.namespace)/\(target.name)") }
    return .object(object)
  }
}

package enum EventTree {
  package static func list(_ events: [AgentEvent]) -> TreeValue {
    ["apiVersion": "v1", "kind": "EventList", "items": .array(events.map(tree))]
  }

  private static func tree(_ event: AgentEvent) -> TreeValue {
    let parts = event.object.split(separator: "/", maxSplits: 1).map(String.init)
    return [
      "type": .string(event.severity.rawValue), "reason": .string(event.reason), "message": .string(event.message),
      "count": .int(Int64(event.count)), "firstTimestamp": .string(Timestamp.text(event.firstSeen)),
      "lastTimestamp": .string(Timestamp.text(event.lastSeen)),
      "involvedObject": [
        "kind": .string(event.kind), "namespace": .string(parts.count == 2 ? parts[0] : ""), "name": .string(parts.last ?? ""),
      ],
    ]
  }
}
