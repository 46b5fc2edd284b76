import KubeModel

/// The endpoints of one service port on this node: which answer at front ends of the cluster, which at local ones.
///
/// Readiness as upstream (KEP-1672): ready endpoints serve; when there is none at all, those that are terminating but
/// still serving do, so that a rolling replacement of a single pod loses no connection. Both choices, cluster and local,
/// are made apart; hints narrow only the first.
struct EndpointSelection {
  /// Sorted by address and port.
  let candidates: [EndpointCandidate]
  let topology: TopologyMode
  let anyReady: Bool
  let anyLocalReady: Bool
  /// Whether any endpoint of the port could answer anywhere in the cluster.
  let hasEndpoints: Bool

  init(_ candidates: [EndpointCandidate], wish: TrafficDistribution?, node: NodeView) {
    self.candidates = candidates
    topology = TopologyMode(candidates, wish: wish, node: node)
    anyReady = candidates.contains { $0.isReady }
    anyLocalReady = candidates.contains { $0.isReady && $0.onNode }
    hasEndpoints = anyReady || candidates.contains { $0.isFallback }
  }

  /// - Parameter detailed: for an explanation.
  init(port: ServicePort, of service: Shared<Service>, slices: [Shared<EndpointSlice>], node: NodeView, detailed: Bool = false) {
    self.init(
      EndpointCandidate.all(of: port, of: service, in: slices, node: node, detailed: detailed),
      wish: service.value.spec.trafficDistribution, node: node)
  }

  func servesCluster(_ candidate: EndpointCandidate) -> Bool {
    anyReady ? candidate.isReady && topology.prefers(candidate) : candidate.isFallback
  }

  func servesLocal(_ candidate: EndpointCandidate) -> Bool {
    candidate.onNode && (anyLocalReady ? candidate.isReady : candidate.isFallback)
  }

  /// Those that serve although `chosen` has none of them.
  func lingering(besides chosen: [ResolvedServicePort.Endpoint]) -> [ResolvedServicePort.Endpoint] {
    let places = Set(chosen.map { EndpointCandidate.Place(address: $0.address, port: $0.port) })
    return candidates.filter { $0.isServing && !places.contains($0.place) }.map {
      ResolvedServicePort.Endpoint(
        address: $0.place.address, port: $0.place.port, servesCluster: false, servesLocal: false, onNode: $0.onNode)
    }
  }

  /// What `frontends` can reach. A choice none of them makes is left out, so that a change of it touches no backend.
  func endpoints(for frontends: [ResolvedServicePort.Frontend]) -> [ResolvedServicePort.Endpoint] {
    let usesCluster = frontends.contains { $0.selection == .cluster || $0.servesNear }
    let usesLocal = frontends.contains { $0.selection == .local }
    var endpoints: [ResolvedServicePort.Endpoint] = []
    endpoints.reserveCapacity(candidates.count)
    for candidate in candidates {
      let answers = (cluster: usesCluster && servesCluster(candidate), local: usesLocal && servesLocal(candidate))
      guard answers.cluster || answers.local else { continue }
      endpoints.append(
        ResolvedServicePort.Endpoint(
          address: candidate.place.address, port: candidate.place.port, servesCluster: answers.cluster, servesLocal: answers.local,
          onNode: candidate.onNode))
    }
    return endpoints
  }
}
