import KubeModel

/// What a front end does with one client: the words of the plugin ABI on selection, masquerading and source ranges, read
/// for a single connection.
struct ClientOutcome {
  typealias Frontend = ResolvedServicePort.Frontend

  let client: ServiceClient
  let node: NodeView
  let selection: EndpointSelection
  let ranges: SourceRanges

  func outcome(at frontend: Frontend) -> FrontendExplanation.Outcome {
    let isNear = client.origin == .node || (client.origin == .pod && node.tellsPods)
    let isShortCut = frontend.servesNear && isNear && frontend.selection == .local
    let used: Frontend.Selection = isShortCut ? .cluster : frontend.selection
    if frontend.checksSource, !ranges.networks.contains(where: { $0.contains(client.address) }) {
      return FrontendExplanation.Outcome(
        verdict: .dropped, selection: used, isMasqueraded: false, isOutsideSourceRanges: true, endpoints: [],
        reason: "\(client.address) is in none of the source ranges\(ranges.networks.isEmpty ? ", of which there are none" : "")")
    }
    let endpoints = selection.candidates.filter { used == .local ? selection.servesLocal($0) : selection.servesCluster($0) }
    guard !endpoints.isEmpty else { return empty(frontend, used, isShortCut) }
    let (isMasqueraded, why) = masquerading(frontend, isShortCut)
    let answering = used == .local ? "local endpoints answer" : "the cluster's endpoints answer"
    let words = isShortCut ? "the client is near, so \(answering)" : answering
    return FrontendExplanation.Outcome(
      verdict: .served, selection: used, isMasqueraded: isMasqueraded, isOutsideSourceRanges: false,
      endpoints: endpoints.map { "\($0.place)" }, reason: "\(words); \(why)\(hairpin(endpoints, isMasqueraded))")
  }

  private func empty(_ frontend: Frontend, _ used: Frontend.Selection, _ isShortCut: Bool) -> FrontendExplanation.Outcome {
    let isDropped = frontend.whenEmpty == .drop && !isShortCut
    return FrontendExplanation.Outcome(
      verdict: isDropped ? .dropped : .refused, selection: used, isMasqueraded: false, isOutsideSourceRanges: false, endpoints: [],
      reason: isDropped ? "no endpoint on this node, but on others" : "no endpoint anywhere")
  }

  private func masquerading(_ frontend: Frontend, _ isShortCut: Bool) -> (Bool, String) {
    if isShortCut, client.origin == .node { return (true, "masqueraded, since the node itself connects") }
    switch frontend.masquerade {
    case .always: return (true, "masqueraded")
    case .hairpin: return (false, "the endpoint sees the client's address")
    case .fromOutside:
      guard node.tellsPods else { return (false, "the endpoint sees the client's address, as pods cannot be told from others") }
      return client.origin == .pod
        ? (false, "the endpoint sees the client's address, as it is a pod") : (true, "masqueraded, as the client is no pod")
    }
  }

  private func hairpin(_ endpoints: [EndpointCandidate], _ isMasqueraded: Bool) -> String {
    !isMasqueraded && endpoints.contains { $0.place.address == client.address } ? "; masqueraded where it reaches itself" : ""
  }
}
