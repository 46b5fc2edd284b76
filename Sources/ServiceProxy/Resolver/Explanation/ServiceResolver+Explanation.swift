import KubeModel

extension ServiceResolver {
  /// Each port of the Service in each of its families. Nothing for a Service that is not proxied.
  public func explain(
    _ service: Service, slices: some Sequence<EndpointSlice>, client: ServiceClient? = nil
  ) -> [ServicePortExplanation] {
    guard isProxied(service) else { return [] }
    let slices = slices.map { Shared($0) }
    let service = Shared(service)
    let stated = SourceRanges.Stated(service)
    return families(of: service.value.spec).flatMap { family in
      let own = slices.filter { $0.value.addressType.family == family }
      let frontends = ServiceFrontends(of: service, family: family, stated: stated, node: node)
      return service.value.spec.ports.map { port in
        let selection = EndpointSelection(port: port, of: service, slices: own, node: node, detailed: true)
        return ServicePortExplanation(
          key: ServiceResolver.key(of: port, service.value.metadata.namespacedName, family), family: family,
          endpoints: selection.candidates.map { explanation(of: $0, in: selection) } + refused(port, own),
          topology: topology(selection.topology),
          frontends: frontends.frontends(of: port, of: service, hasEndpoints: selection.hasEndpoints).map { frontend in
            let outcome = client.flatMap { client in
              client.address.family == family
                ? ClientOutcome(client: client, node: node, selection: selection, ranges: frontends.ranges).outcome(at: frontend) : nil
            }
            return FrontendExplanation(frontend: frontend, outcome: outcome)
          })
      }
    }
  }

  private func topology(_ mode: TopologyMode) -> [String] {
    switch mode.preference {
    case .none: mode.ignored
    case .sameNode: ["hints for a node: only endpoints meant for node \(node.name) serve the cluster's front ends"]
    case .sameZone:
      mode.ignored + ["hints for a zone: only endpoints meant for zone \(node.zone ?? "") serve the cluster's front ends"]
    }
  }

  private func explanation(of candidate: EndpointCandidate, in selection: EndpointSelection) -> EndpointExplanation {
    EndpointExplanation(
      address: candidate.place.address, port: candidate.place.port, nodeName: candidate.details?.nodeName,
      zone: candidate.details?.zone, pod: candidate.details?.pod, isReady: candidate.isReady, isServing: candidate.isServing,
      isTerminating: candidate.isTerminating,
      onNode: candidate.onNode, servesCluster: selection.servesCluster(candidate), servesLocal: selection.servesLocal(candidate),
      reason: reason(candidate, selection))
  }

  private func reason(_ candidate: EndpointCandidate, _ selection: EndpointSelection) -> String {
    "cluster: \(clusterReason(candidate, selection)); local: \(localReason(candidate, selection))"
  }

  private func clusterReason(_ candidate: EndpointCandidate, _ selection: EndpointSelection) -> String {
    if selection.servesCluster(candidate) {
      guard candidate.isReady, selection.anyReady else { return "used, since none is ready and this one still serves while it terminates" }
      switch selection.topology.preference {
      case .none: return "used, it is ready"
      case .sameNode: return "used, it is ready and meant for this node"
      case .sameZone: return "used, it is ready and meant for this zone"
      }
    }
    guard candidate.isReady else { return notReady(candidate, others: selection.anyReady, "others are ready") }
    return "not used, it is meant for \(meant(for: candidate, selection.topology.preference))"
  }

  private func localReason(_ candidate: EndpointCandidate, _ selection: EndpointSelection) -> String {
    if selection.servesLocal(candidate) {
      return candidate.isReady && selection.anyLocalReady
        ? "used, it is ready" : "used, since none here is ready and this one still serves while it terminates"
    }
    guard candidate.onNode else {
      return candidate.details?.nodeName.map { "not used, it runs on node \($0)" } ?? "not used, its node is not known"
    }
    return notReady(candidate, others: selection.anyLocalReady, "others here are ready")
  }

  private func notReady(_ candidate: EndpointCandidate, others: Bool, _ words: String) -> String {
    if !candidate.isTerminating { return "not used, it is not ready" }
    if !candidate.isServing { return "not used, it terminates and no longer serves" }
    return others ? "not used, it terminates and \(words)" : "not used, it terminates"
  }

  private func meant(for candidate: EndpointCandidate, _ preference: TopologyMode.Preference) -> String {
    preference == .sameNode
      ? "node \(candidate.nodeHints.sorted().joined(separator: ", "))" : "zone \(candidate.zoneHints.sorted().joined(separator: ", "))"
  }

  /// Addresses no proxy can use, each once.
  private func refused(_ port: ServicePort, _ slices: [Shared<EndpointSlice>]) -> [EndpointExplanation] {
    var seen: Set<IPAddress> = []
    var refused: [EndpointExplanation] = []
    for shared in slices {
      let slice = shared.value
      guard let target = slice.ports.first(where: { $0.name == port.name && $0.protocol == port.protocol })?.port else { continue }
      for (index, endpoint) in slice.endpoints.enumerated() {
        guard let address = endpoint.addresses.first, let complaint = SliceCheck.complaint(about: address, in: slice.addressType),
          seen.insert(address).inserted
        else { continue }
        let candidate = EndpointCandidate(
          shared, index, at: .init(address: address, port: target), publishesNotReady: false, node: node, detailed: true)
        refused.append(
          EndpointExplanation(
            address: address, port: target, nodeName: endpoint.nodeName, zone: endpoint.zone, pod: candidate.details?.pod,
            isReady: candidate.isReady, isServing: candidate.isServing, isTerminating: candidate.isTerminating, onNode: candidate.onNode,
            servesCluster: false, servesLocal: false, reason: "not used anywhere, it \(complaint)"))
      }
    }
    return refused.sorted { $0.address < $1.address }
  }
}
