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

  /// What few have, or only explanations tell: an object of its own, so that the many others are plain values.
  final class Details: Sendable {
    let zoneHints: [String]
    let nodeHints: [String]
    /// Where and what it is; `nil` unless an explanation asks.
    let nodeName: String?
    let zone: String?
    /// The pod behind it, "namespace/name".
    let pod: String?

    init(zoneHints: [String], nodeHints: [String], nodeName: String? = nil, zone: String? = nil, pod: String? = nil) {
      self.zoneHints = zoneHints
      self.nodeHints = nodeHints
      self.nodeName = nodeName
      self.zone = zone
      self.pod = pod
    }

    convenience init(_ endpoint: Endpoint, isExplained: Bool) {
      let pod = endpoint.targetRef.flatMap { $0.kind == "Pod" ? "\($0.namespace)/\($0.name)" : nil }
      self.init(
        zoneHints: endpoint.hints.forZones, nodeHints: endpoint.hints.forNodes, nodeName: isExplained ? endpoint.nodeName : nil,
        zone: isExplained ? endpoint.zone : nil, pod: isExplained ? pod : nil)
    }

    func merged(with other: Details) -> Details {
      func first(_ left: String?, _ right: String?) -> String? { [left, right].compactMap { $0 }.min() }
      return Details(
        zoneHints: zoneHints + other.zoneHints.filter { !zoneHints.contains($0) },
        nodeHints: nodeHints + other.nodeHints.filter { !nodeHints.contains($0) }, nodeName: first(nodeName, other.nodeName),
        zone: first(zone, other.zone), pod: first(pod, other.pod))
    }
  }

  var place: Place
  var onNode: Bool
  var isReady: Bool
  var isServing: Bool
  var isTerminating: Bool
  /// `nil`: no hints, and no explanation asked for.
  var details: Details?

  var zoneHints: [String] { details?.zoneHints ?? [] }
  var nodeHints: [String] { details?.nodeHints ?? [] }

  /// Serves as long as nothing is ready (KEP-1672).
  var isFallback: Bool { isServing && isTerminating }

  /// - Parameter index: of the endpoint, which is large to copy.
  init(
    _ slice: Shared<EndpointSlice>, _ index: Int, at place: Place, publishesNotReady: Bool, node: NodeView, detailed: Bool
  ) {
    self.place = place
    onNode = node.runs(slice.value.endpoints[index].nodeName)
    let conditions = slice.value.endpoints[index].conditions
    isReady = conditions.isReady || publishesNotReady
    // The API says of 1.34 and later that nothing said means true.
    isServing = conditions.serving ?? true
    isTerminating = conditions.isTerminating
    let isHinted = !slice.value.endpoints[index].hints.forZones.isEmpty || !slice.value.endpoints[index].hints.forNodes.isEmpty
    details = detailed || isHinted ? Details(slice.value.endpoints[index], isExplained: detailed) : nil
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
    merged.details = other.details.map { details?.merged(with: $0) ?? $0 } ?? details
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
      for index in shared.value.endpoints.indices {
        // Upstream consumers use the first address only; the others of a slice are for the same backend.
        guard let address = shared.value.endpoints[index].addresses.first, SliceCheck.isUsable(address, family) else { continue }
        candidates.append(
          EndpointCandidate(
            shared, index, at: Place(address: address, port: target), publishesNotReady: publishesNotReady, node: node, detailed: detailed))
      }
    }
    return inOrder(candidates)
  }

  private static func inOrder(_ candidates: [EndpointCandidate]) -> [EndpointCandidate] {
    // As controllers write most slices, or there is nothing to sort.
    if candidates.indices.dropFirst().allSatisfy({ candidates[$0 - 1].place < candidates[$0].place }) { return candidates }
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
