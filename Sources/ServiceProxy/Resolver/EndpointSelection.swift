import KubeModel

/// The endpoints of one service port on this node: which answer at front ends of the cluster, which at local ones.
///
/// Readiness as upstream (KEP-1672): ready endpoints serve; when there is none at all, those that are terminating but
/// still serving do, so that a rolling replacement of a single pod loses no connection. Both choices, cluster and local,
/// are made apart.
struct EndpointSelection {
  var endpoints: [ResolvedServicePort.Endpoint]

  private struct Candidate {
    var endpoint: ResolvedServicePort.Endpoint
    var isReady: Bool
    var isServingTerminating: Bool

    func merged(with other: Candidate) -> Candidate {
      var merged = self
      merged.endpoint.onNode = endpoint.onNode || other.endpoint.onNode
      merged.isReady = isReady || other.isReady
      merged.isServingTerminating = isServingTerminating || other.isServingTerminating
      return merged
    }
  }

  private struct Place: Hashable {
    var address: IPAddress
    var port: UInt16
  }

  init(port: ServicePort, slices: [EndpointSlice], spec: ServiceSpec, nodeName: String) {
    // An endpoint may stand in two slices while it moves between them: the better of each state holds, in whatever order
    // the slices come.
    var candidates: [Place: Candidate] = [:]
    for slice in slices {
      guard let target = EndpointSelection.target(of: port, in: slice) else { continue }
      for endpoint in slice.endpoints {
        // Upstream consumers use the first address only; the others of a slice are for the same backend.
        guard let address = endpoint.addresses.first else { continue }
        let candidate = Candidate(
          endpoint: .init(address: address, port: target, onNode: endpoint.nodeName == nodeName),
          isReady: endpoint.conditions.isReady || spec.publishNotReadyAddresses,
          isServingTerminating: endpoint.conditions.isServing && endpoint.conditions.isTerminating)
        let place = Place(address: address, port: target)
        candidates[place] = candidates[place]?.merged(with: candidate) ?? candidate
      }
    }
    endpoints = EndpointSelection.choose(Array(candidates.values))
  }

  /// The port number behind a service port: slices name their ports as the Service does.
  private static func target(of port: ServicePort, in slice: EndpointSlice) -> UInt16? {
    slice.ports.first { $0.name == port.name && $0.protocol == port.protocol }?.port
  }

  private static func choose(_ candidates: [Candidate]) -> [ResolvedServicePort.Endpoint] {
    let anyReady = candidates.contains { $0.isReady }
    let anyLocalReady = candidates.contains { $0.isReady && $0.endpoint.onNode }
    var chosen: [ResolvedServicePort.Endpoint] = []
    for candidate in candidates {
      var endpoint = candidate.endpoint
      endpoint.servesCluster = anyReady ? candidate.isReady : candidate.isServingTerminating
      endpoint.servesLocal = endpoint.onNode && (anyLocalReady ? candidate.isReady : candidate.isServingTerminating)
      if endpoint.servesCluster || endpoint.servesLocal { chosen.append(endpoint) }
    }
    return chosen.sorted { ($0.address, $0.port) < ($1.address, $1.port) }
  }
}
