import KubeModel

/// One address and port of a Service, as its slices tell of it.
struct EndpointCandidate {
  struct Place: Hashable, Comparable, CustomStringConvertible {
    var address: IPAddress
    var port: UInt16

    static func < (left: Place, right: Place) -> Bool {
      left.address == right.address ? left.port < right.port : left.address < right.address
    }

    var description: String { address.family == .v6 ? "[\(address)]:\(port)" : "\(address):\(port)" }
  }

  /// What only explanations tell.
  final class Details: Sendable {
    let nodeName: String?
    let zone: String?
    /// The pod behind it, "namespace/name".
    let pod: String?

    init(nodeName: String?, zone: String?, pod: String?) {
      self.nodeName = nodeName
      self.zone = zone
      self.pod = pod
    }

    convenience init(_ endpoint: Endpoint) {
      let pod = endpoint.targetRef.flatMap { $0.kind == "Pod" ? "\($0.namespace)/\($0.name)" : nil }
      self.init(nodeName: endpoint.nodeName, zone: endpoint.zone, pod: pod)
    }

    func merged(with other: Details) -> Details {
      func first(_ left: String?, _ right: String?) -> String? { [left, right].compactMap { $0 }.min() }
      return Details(nodeName: first(nodeName, other.nodeName), zone: first(zone, other.zone), pod: first(pod, other.pod))
    }
  }

  var place: Place
  var onNode: Bool
  var isReady: Bool
  var isServing: Bool
  var isTerminating: Bool
  var zoneHints: [String]
  var nodeHints: [String]
  /// `nil`: nobody asked.
  var details: Details?

  /// Serves as long as nothing is ready (KEP-1672).
  var isFallback: Bool { isServing && isTerminating }

  init(_ endpoint: Endpoint, at place: Place, publishesNotReady: Bool, node: NodeView, detailed: Bool) {
    self.place = place
    onNode = node.runs(endpoint.nodeName)
    isReady = endpoint.conditions.isReady || publishesNotReady
    // The API says of 1.34 and later that nothing said means true.
    isServing = endpoint.conditions.serving ?? true
    isTerminating = endpoint.conditions.isTerminating
    zoneHints = endpoint.hints.forZones
    nodeHints = endpoint.hints.forNodes
    if detailed { details = Details(endpoint) }
  }

  /// An endpoint may stand in two slices while it moves between them, and a new pod may have got the address of one that
  /// is not gone yet. As upstream the one that is not terminating counts; otherwise the better of each state, in
  /// whatever order the slices come (upstream's order is that of a Go map).
  func merged(with other: EndpointCandidate) -> EndpointCandidate {
    if isTerminating != other.isTerminating { return isTerminating ? other : self }
    var merged = self
    merged.onNode = onNode || other.onNode
    merged.isReady = isReady || other.isReady
    merged.isServing = isServing || other.isServing
    merged.zoneHints += other.zoneHints.filter { !zoneHints.contains($0) }
    merged.nodeHints += other.nodeHints.filter { !nodeHints.contains($0) }
    if let details, let others = other.details { merged.details = details.merged(with: others) }
    return merged
  }

  /// The endpoints behind a service port, each once and in order.
  /// - Parameter detailed: for an explanation.
  static func all(
    of port: ServicePort, of service: Shared<Service>, in slices: [Shared<EndpointSlice>], node: NodeView, detailed: Bool = false
  ) -> [EndpointCandidate] {
    let publishesNotReady = service.value.spec.publishNotReadyAddresses
    var candidates: [EndpointCandidate] = []
    candidates.reserveCapacity(slices.count == 1 ? slices[0].value.endpoints.count : 0)
    for shared in slices {
      // Slices name their ports as the Service does.
      guard let family = shared.value.addressType.family,
        let target = shared.value.ports.first(where: { $0.protocol == port.protocol && $0.name == port.name })?.port, target != 0
      else { continue }
      // By their places: an endpoint is large to copy.
      for index in shared.value.endpoints.indices {
        // Upstream consumers use the first address only; the others of a slice are for the same backend.
        guard let address = shared.value.endpoints[index].addresses.first, SliceCheck.isUsable(address, family) else { continue }
        candidates.append(
          EndpointCandidate(
            shared.value.endpoints[index], at: Place(address: address, port: target), publishesNotReady: publishesNotReady, node: node,
            detailed: detailed))
      }
    }
    return inOrder(candidates)
  }

  private static func inOrder(_ candidates: [EndpointCandidate]) -> [EndpointCandidate] {
    // As controllers write most slices, or there is nothing to sort.
    if zip(candidates, candidates.dropFirst()).allSatisfy({ $0.place < $1.place }) { return candidates }
    var merged: [EndpointCandidate] = []
    merged.reserveCapacity(candidates.count)
    for candidate in candidates.sorted(by: { $0.place < $1.place }) {
      if let last = merged.last, last.place == candidate.place {
        merged[merged.count - 1] = last.merged(with: candidate)
      } else {
        merged.append(candidate)
      }
    }
    return merged
  }
}
