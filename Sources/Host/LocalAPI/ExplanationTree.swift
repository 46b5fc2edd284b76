import KubeModel
import ServiceProxy

/// One Service as `swiftlet explain` shows it, as a tree.
package struct ExplanationTree {
  package var service: Service
  package var mode: String
  package var problems: [String] = []
  package var generation: UInt64 = 0
  /// RFC 3339; empty: never.
  package var committedAt = ""
  package var from: IPAddress?
  package var ports: [Port] = []

  package struct Port {
    package var resolved: ResolvedServicePort
    package var endpoints: [TreeValue] = []
    /// What hints of the slices do, or why they do nothing.
    package var topology: [String] = []
    package var fromLines: [String] = []
    package var failure: String?
    package var counters: ServicePortCounters?
    package var kernel: [String] = []
    package var flows: (count: Int, some: [String])?

    package init(resolved: ResolvedServicePort) { self.resolved = resolved }
  }

  package init(service: Service, mode: String) {
    self.service = service
    self.mode = mode
  }

  package var tree: TreeValue {
    var root = TreeObject()
    root["kind"] = "ServiceExplanation"
    root["name"] = .string(service.metadata.namespacedName)
    root["type"] = .string(service.spec.isHeadless ? "headless" : service.spec.type.rawValue)
    root["mode"] = .string(mode)
    if let from { root["from"] = .string("\(from)") }
    root["lastCommit"] = ["generation": .int(Int64(clamping: generation)), "at": .string(committedAt)]
    root["problems"] = .array(problems.map { .string($0) })
    root["ports"] = .array(ports.map(tree))
    return .object(root)
  }

  private func tree(_ port: Port) -> TreeValue {
    var object = TreeObject()
    object["key"] = .string(port.resolved.key)
    if port.resolved.affinitySeconds > 0 { object["affinity"] = .string("\(port.resolved.affinitySeconds) s") }
    if let failure = port.failure { object["failure"] = .string(failure) }
    object["frontends"] = .array(port.resolved.frontends.map { frontend($0, port.resolved) })
    object["endpoints"] = .array(port.endpoints)
    if !port.topology.isEmpty { object["topology"] = .array(port.topology.map { .string($0) }) }
    if from != nil { object["from"] = .array(port.fromLines.map { .string($0) }) }
    if let counters = port.counters { object["counters"] = .object(tree(counters)) }
    if let flows = port.flows {
      object["flows"] = ["count": .int(Int64(flows.count)), "some": .array(flows.some.map { .string($0) })]
    }
    object["kernel"] = .array(port.kernel.map { .string($0) })
    return .object(object)
  }

  private func frontend(_ frontend: ResolvedServicePort.Frontend, _ port: ResolvedServicePort) -> TreeValue {
    let address = frontend.address.map { $0.family == .v6 ? "[\($0)]" : "\($0)" } ?? "node"
    var selection = frontend.selection == .cluster ? "cluster endpoints" : "local endpoints"
    if frontend.servesNear { selection += "; near clients: cluster" }
    if frontend.checksSource { selection += "; from " + port.sourceRanges.map { "\($0)" }.joined(separator: ",") }
    let masquerade =
      switch frontend.masquerade {
      case .hairpin: "kept"
      case .fromOutside: "the node's, but for pods of this node"
      case .always: "the node's"
      }
    return [
      "address": .string("\(address):\(frontend.port)"), "kind": .string(frontend.kind.word), "selection": .string(selection),
      "masquerade": .string(masquerade), "empty": .string(frontend.whenEmpty == .refuse ? "refused" : "dropped"),
    ]
  }

  private func tree(_ counters: ServicePortCounters) -> TreeObject {
    var object = TreeObject()
    let fields: [(String, UInt64?)] = [
      ("connections", counters.connections), ("packets", counters.packets), ("bytes", counters.bytes),
      ("without endpoint", counters.noEndpoint), ("outside of the source ranges", counters.sourceRefused),
    ]
    for (name, value) in fields { if let value { object[name] = .int(Int64(clamping: value)) } }
    return object
  }
}

extension ResolvedServicePort.Frontend.Kind {
  var word: String {
    switch self {
    case .clusterIP: "ClusterIP"
    case .nodePort: "NodePort"
    case .externalIP: "ExternalIP"
    case .loadBalancer: "LoadBalancer"
    }
  }
}
