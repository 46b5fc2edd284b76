/// The chains of a class: who is served, with whose source address, by which endpoint.
package struct ClassChain {
  private let layout: Layout
  private let reference: ClassReference
  private let match: Match

  package init(_ layout: Layout, _ reference: ClassReference) {
    self.layout = layout
    self.reference = reference
    match = layout.match
  }

  private var serviceClass: ServiceClass { reference.serviceClass }
  private var isNodePort: Bool { reference.isNodePort }

  /// In the order of creation; connections come to the last one, by a goto, and never return.
  package var chains: [Chain] {
    if let slot = serviceClass.slot { return [Chain(name: reference.chain, rules: remembering(slot))] }
    var rules = serviceClass.isRestricted ? [rangesRule] : []
    rules += masqueradeRules
    guard let local = serviceClass.localEndpoints else {
      return [Chain(name: reference.chain, rules: rules + selection(serviceClass.endpoints, from: 0))]
    }
    rules += nearRules
    rules += selection(local, from: UInt32(FrontendState.localIndex))
    return [
      Chain(name: reference.nearChain, rules: selection(serviceClass.endpoints, from: 0)),
      Chain(name: reference.chain, rules: rules),
    ]
  }

  private var rangesRule: Rule {
    let map = MapKind.sourceRanges(isNodePort: isNodePort)
    return Rule(
      "only from the source ranges",
      match.key(map).load + [.absent(map, from: Register(0)), .verdict(.goto(Layout.outsideChain(isNodePort: isNodePort)))])
  }

  private var masqueradeRules: [Rule] {
    switch serviceClass.masquerade ?? .hairpin {
    case .hairpin: return []
    case .always: return [Rule("masquerade", match.markForMasquerading)]
    case .outside:
      guard let isNotPod = match.isNotPod else { return [] }
      return [Rule("masquerade what does not come from a pod", isNotPod + match.markForMasquerading)]
    }
  }

  /// The node's own address may be one that endpoints elsewhere cannot answer to, hence the mark.
  private var nearRules: [Rule] {
    let near: [Expression] = [.verdict(.goto(reference.nearChain))]
    return [Rule("from this node", match.isLocal(.source) + match.markForMasquerading + near)]
      + match.isPod.map { Rule("from a pod", $0 + near) }
  }

  // MARK: - Selection

  /// Any of some endpoints.
  /// - Parameter first: their first index.
  private func selection(_ count: UInt32, from first: UInt32) -> [Rule] {
    if count == 0 {
      let counting = serviceClass.isEmpty ? [] : [layout.count(.noEndpoint, isNodePort: isNodePort)]
      let answer = serviceClass.drops ? Layout.discardChain : Layout.refuseChain
      return counting + [Rule("no endpoint", [.verdict(.goto(answer))])]
    }
    var rules = serviceClass.hasAffinity ? returning : []
    rules.append(Rule("one of \(count)", choice(below: count, from: first)))
    if count > 1 {
      // A packet that crosses a commit may have met the old class and now the new endpoints, which may be fewer.
      rules.append(Rule("endpoints are changing", choice(below: 1, from: first)))
    }
    // Not refused: the client's next attempt finds what the commit left.
    rules.append(Rule("endpoints are gone", [.verdict(.drop)]))
    return rules
  }

  private func choice(below count: UInt32, from first: UInt32) -> [Expression] {
    let map: MapKind = serviceClass.hasAffinity ? .affinitySlots(isNodePort: isNodePort) : .endpoints(isNodePort: isNodePort)
    let key = match.key(map)
    let chosen =
      key.load + [
        .random(below: count, offset: first, to: Register(key.next)), .lookup(map, from: Register(0), to: Register(0)),
      ]
    if serviceClass.hasAffinity { return chosen + match.follow(.affinityChains(isNodePort: isNodePort)) }
    return chosen + [.destinationNAT(match.family, address: Register(0), port: Register(match.family.words))]
  }

  /// A client that was here before goes where it went. When nobody is there any more the packet comes back, and since an
  /// element's value cannot be changed on a packet's way, it is removed before another place is chosen.
  private var returning: [Rule] {
    let map = MapKind.affinity(isNodePort: isNodePort)
    let key = match.key(map)
    return [
      Rule(
        "where the client went before",
        key.load + [.lookup(map, from: Register(0), to: Register(0))] + match.follow(.affinityChains(isNodePort: isNodePort))),
      Rule(
        "nobody is there", key.load + [.constant(0, to: Register(key.next)), .remove(map, key: Register(0), value: Register(key.next))]),
    ]
  }

  /// Remembers the client only if the place has an endpoint, which is why the look-up comes first. Of the sixteen registers
  /// an IPv6 front end needs all.
  private func remembering(_ slot: AffinitySlot) -> [Rule] {
    let endpoints = MapKind.endpoints(isNodePort: isNodePort)
    let affinity = MapKind.affinity(isNodePort: isNodePort)
    let place = match.key(endpoints)
    let words = match.family.words
    let target =
      place.load + [
        .random(below: 1, offset: slot.rawValue, to: Register(place.next)), .lookup(endpoints, from: Register(0), to: Register(0)),
      ]
    let client = match.key(affinity, from: words + 1)
    let remember =
      client.load + [
        .constant(slot.rawValue, to: Register(client.next)),
        .update(affinity, key: Register(words + 1), value: Register(client.next), seconds: slot.seconds),
      ]
    let send: [Expression] = [.destinationNAT(match.family, address: Register(0), port: Register(words))]
    return [
      Rule("remember the client", target + remember + send),
      Rule("too many clients to remember", target + send),
    ]
  }
}

extension Layout {
  /// The chains of a class that owns any; in the order of creation.
  package func chains(for reference: ClassReference) -> [Chain] { reference.ownsChain ? ClassChain(self, reference).chains : [] }
}
