import KubeModel

/// One address and port of a Service, as its slices tell of it.
struct EndpointCandidate {
  struct Place: Hashable, Comparable, CustomStringConvertible {
    var address: IPAddress
    var port: UInt16

    static func < (left: Place, right: Place) -> Bool { (left.address, left.port) < (right.address, right.port) }

    var description: String { address.family == .v6 ? "[\(address)]:\(port)" : "\(address):\(port)" }
  }

  var place: Place
  var nodeName: String?
  var zone: String?
  /// The pod behind it, "namespace/name".
  var pod: String?
  var onNode: Bool
  var isReady: Bool
  var isServing: Bool
  var isTerminating: Bool
  var zoneHints: Set<String>
  var nodeHints: Set<String>

  /// Serves as long as nothing is ready (KEP-1672).
  var isFallback: Bool { isServing && isTerminating }

  init(_ endpoint: Endpoint, at place: Place, publishesNotReady: Bool, node: NodeView) {
    self.place = place
    nodeName = endpoint.nodeName
    zone = endpoint.zone
    pod = endpoint.targetRef.flatMap { $0.kind == "Pod" ? "\($0.namespace)/\($0.name)" : nil }
    onNode = node.runs(endpoint.nodeName)
    isReady = endpoint.conditions.isReady || publishesNotReady
    // The API says of 1.34 and later that nothing said means true.
    isServing = endpoint.conditions.serving ?? true
    isTerminating = endpoint.conditions.isTerminating
    zoneHints = Set(endpoint.hints.forZones)
    nodeHints = Set(endpoint.hints.forNodes)
  }

  /// An endpoint may stand in two slices while it moves between them, and a new pod may have got the address of one that
  /// is not gone yet. As upstream the one that is not terminating counts; otherwise the better of each state, in
  /// whatever order the slices come (upstream's order is that of a Go map).
  func merged(with other: EndpointCandidate) -> EndpointCandidate {
    if isTerminating != other.isTerminating { return isTerminating ? other : self }
    var merged = self
    merged.nodeName = first(nodeName, other.nodeName)
    merged.zone = first(zone, other.zone)
    merged.pod = first(pod, other.pod)
    merged.onNode = onNode || other.onNode
    merged.isReady = isReady || other.isReady
    merged.isServing = isServing || other.isServing
    merged.zoneHints.formUnion(other.zoneHints)
    merged.nodeHints.formUnion(other.nodeHints)
    return merged
  }

  private func first(_ left: String?, _ right: String?) -> String? { [left, right].compactMap { $0 }.min() }

  /// The endpoints behind a service port, each once and in order.
  static func all(of port: ServicePort, in slices: [EndpointSlice], spec: ServiceSpec, node: NodeView) -> [EndpointCandidate] {
    var candidates: [EndpointCandidate] = []
    for slice in slices {
      // Slices name their ports as the Service does.
      guard let target = slice.ports.first(where: { $0.name == port.name && $0.protocol == port.protocol })?.port, target != 0 else {
        continue
      }
      for endpoint in slice.endpoints {
        // Upstream consumers use the first address only; the others of a slice are for the same backend.
        guard let address = endpoint.addresses.first, SliceCheck.complaint(about: address, in: slice.addressType) == nil else { continue }
        let place = Place(address: address, port: target)
        candidates.append(EndpointCandidate(endpoint, at: place, publishesNotReady: spec.publishNotReadyAddresses, node: node))
      }
    }
    if candidates.count < 2 { return candidates }
    candidates.sort { $0.place < $1.place }
    var merged: [EndpointCandidate] = []
    merged.reserveCapacity(candidates.count)
    for candidate in candidates {
      if let last = merged.last, last.place == candidate.place {
        merged[merged.count - 1] = last.merged(with: candidate)
      } else {
        merged.append(candidate)
      }
    }
    return merged
  }
}
