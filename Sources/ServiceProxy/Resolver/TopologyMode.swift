import KubeModel

/// Whether the hints of a Service's endpoints narrow the cluster's endpoints to near ones (`trafficDistribution`, KEP-3015).
///
/// As upstream: only ready endpoints are asked; hints count when every one of them carries one and at least one is meant
/// for us; those for nodes come before those for zones. There is no half use: otherwise all ready endpoints serve.
struct TopologyMode {
  enum Preference { case none, sameNode, sameZone }

  var preference: Preference
  /// Why hints, or the wish for them, have no effect; empty when they have, or nobody asked.
  var ignored: [String]
  /// What hints of our kind name: the node or the zone.
  private var own = ""

  init(_ candidates: [EndpointCandidate], wish: TrafficDistribution?, node: NodeView) {
    self.init(preference: .none, ignored: [])
    if wish == nil, candidates.allSatisfy({ $0.details == nil || $0.nodeHints.isEmpty && $0.zoneHints.isEmpty }) { return }
    let ready = candidates.filter(\.isReady)
    guard !ready.isEmpty else { return }
    if ready.allSatisfy({ $0.nodeHints.isEmpty && $0.zoneHints.isEmpty }) {
      if let wish { ignored = ["trafficDistribution \(wish.rawValue): the slices carry no hints"] }
      return
    }
    if let complaint = TopologyMode.complaint(ready, \.nodeHints, about: node.name, word: "node") {
      // Slices for zones carry none for nodes: that is no fault.
      if ready.contains(where: { !$0.nodeHints.isEmpty }) || wish == .preferSameNode { ignored.append(complaint) }
    } else {
      (preference, own) = (.sameNode, node.name)
      return
    }
    if let complaint = TopologyMode.complaint(ready, \.zoneHints, about: node.zone, word: "zone") {
      if ready.contains(where: { !$0.zoneHints.isEmpty }) { ignored.append(complaint) }
    } else {
      (preference, own, ignored) = (.sameZone, node.zone ?? "", [])
    }
  }

  private init(preference: Preference, ignored: [String]) {
    self.preference = preference
    self.ignored = ignored
  }

  func prefers(_ candidate: EndpointCandidate) -> Bool {
    switch preference {
    case .none: true
    case .sameNode: candidate.nodeHints.contains(own)
    case .sameZone: candidate.zoneHints.contains(own)
    }
  }

  /// Why one kind of hints cannot be used; `nil`: it can.
  private static func complaint(
    _ ready: [EndpointCandidate], _ hints: KeyPath<EndpointCandidate, [String]>, about own: String?, word: String
  ) -> String? {
    if let bare = ready.first(where: { $0[keyPath: hints].isEmpty }) {
      return "hints for a \(word) are ignored: the ready endpoint \(bare.place) has none"
    }
    guard let own, !own.isEmpty else {
      return "hints for a \(word) are ignored: this node's \(word) is not known"
    }
    guard ready.contains(where: { $0[keyPath: hints].contains(own) }) else {
      return "hints for a \(word) are ignored: no ready endpoint is meant for \(word) \(own)"
    }
    return nil
  }
}
