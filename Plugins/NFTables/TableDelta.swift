/// What has to be added to and removed from one table, sorted the way a transaction wants it.
package struct TableDelta: Sendable {
  package let family: Family
  /// Made in a transaction of their own before this one: a packet that began in the old generation may already read elements of
  /// the new one, and would find a chain made together with them still empty.
  package var newClasses: [ClassReference] = []
  /// Source ranges of front ends that had none. In the transaction before too: while the kernel commits, a front end asks for its
  /// ranges from the beginning and a set of intervals shows new elements at the end (nft_pipapo_commit, 5.13 to 6.18), and in between
  /// nobody would be served.
  package var newRanges = ElementLists()
  package var newHairpins: [Address] = []
  /// Of a table that is read back or loaded; otherwise they go later than the endpoints, see `Programmer`.
  package var oldHairpins: [Address] = []
  /// Elements that keep their key and get another value: an element cannot be changed, so it is deleted and added in one
  /// transaction, which packets see as one step.
  package var replaced = ElementLists()
  package var added = ElementLists()
  package var removed = ElementLists()

  /// What the front ends concerned are afterwards; nil: gone.
  package var settled: [(key: FrontendKey, state: FrontendState?)] = []
  /// How many more front ends each class has then.
  package private(set) var uses: [ClassReference: Int] = [:]
  /// Not in `uses` yet: most front ends that follow one another are of one class.
  private var run: (reference: ClassReference, step: Int)?

  package init(_ family: Family) { self.family = family }

  package var isEmpty: Bool {
    newRanges.isEmpty && newHairpins.isEmpty && oldHairpins.isEmpty && replaced.isEmpty && added.isEmpty && removed.isEmpty
  }
  package var weight: Int { newRanges.count + replaced.count + added.count + removed.count }

  /// Of one map, whichever transaction they go in.
  package func additions(to map: MapKind) -> [Element] { (newRanges[map] ?? []) + (added[map] ?? []) }

  /// The same where one may not be there.
  package mutating func append(_ key: FrontendKey, from old: FrontendState?, to new: FrontendState?) {
    append(key, from: old ?? .unclaimed, to: new ?? .unclaimed)
  }

  mutating func use(_ reference: ClassReference, _ step: Int) {
    if run?.reference == reference {
      run?.step += step
    } else {
      endRun()
      run = (reference, step)
    }
  }

  /// All uses are told. A class with as many as before is among them: it may be gone from the kernel.
  mutating func endRun() {
    if let run { uses[run.reference, default: 0] += run.step }
    run = nil
  }

  /// All of `settled` may be new: lists that double as they grow would be copied again and again.
  mutating func reserve() {
    var (endpoints, frontends) = ((plain: 0, nodePort: 0), (plain: 0, nodePort: 0))
    for index in settled.indices {
      let count = settled[index].state?.endpoints.count ?? 0
      if settled[index].key.isNodePort {
        endpoints.nodePort += count
        frontends.nodePort += 1
      } else {
        endpoints.plain += count
        frontends.plain += 1
      }
    }
    added.reserve(endpoints.plain, of: .endpoints)
    added.reserve(frontends.plain, of: .serviceIPs)
    if frontends.nodePort == 0 { return }
    added.reserve(endpoints.nodePort, of: .nodePortEndpoints)
    added.reserve(frontends.nodePort, of: .serviceNodePorts)
  }

  /// Adds what makes a front end the kernel has nothing of.
  mutating func appendNew(at index: Int) {
    let key = settled[index].key
    guard let state = settled[index].state else { return }
    guard let serviceClass = state.serviceClass, state.isPlain, state.refusals.count == 0 else {
      return append(key, from: .unclaimed, to: state)
    }
    let map = MapKind.endpoints(isNodePort: key.isNodePort)
    let endpoints = state.endpoints
    for index in endpoints.indices where endpoints[index] != .absent {
      added.append(Element(key, index: UInt32(clamping: index), endpoints[index]), to: map)
    }
    added.append(Element(key, serviceClass), to: MapKind.frontends(isNodePort: key.isNodePort))
  }

  /// Adds what turns one state of a front end into another; `.unclaimed` is "not there".
  package mutating func append(_ key: FrontendKey, from old: FrontendState, to new: FrontendState) {
    if old.isPlain, new.isPlain {
      appendEndpoints(key, old.endpoints, new.endpoints, from: 0)
    } else {
      appendAll(key, from: old, to: new)
    }
    let (had, has) = (old.serviceClass, new.serviceClass)
    if had != has || old.refusals != new.refusals { appendRefusals(key, old, new) }
    if had == has { return }
    let map = MapKind.frontends(isNodePort: key.isNodePort)
    change(map, had.map { Element(key, $0) }, has.map { Element(key, $0) })
  }

  /// All that a front end can have beside its class.
  private mutating func appendAll(_ key: FrontendKey, from old: FrontendState, to new: FrontendState) {
    let local = FrontendState.localIndex
    appendEndpoints(key, old.slots.isEmpty ? old.endpoints : [], new.slots.isEmpty ? new.endpoints : [], from: 0)
    appendEndpoints(key, old.localSlots.isEmpty ? old.localEndpoints : [], new.localSlots.isEmpty ? new.localEndpoints : [], from: local)
    if old.slots != new.slots || old.localSlots != new.localSlots || !new.slots.isEmpty || !new.localSlots.isEmpty {
      appendPlaces(key, old, new)
      appendSlots(key, old.slots, new.slots, from: 0)
      appendSlots(key, old.localSlots, new.localSlots, from: local)
    }
    if old.ranges != new.ranges { appendRanges(key, old.ranges, new.ranges) }
  }

  private mutating func change(_ map: MapKind, _ old: Element?, _ new: Element?) {
    if let old {
      if new == nil { removed.append(old, to: map) } else { replaced.append(old, to: map) }
    }
    if let new { added.append(new, to: map) }
  }

  private mutating func appendEndpoints(_ key: FrontendKey, _ old: [Endpoint], _ new: [Endpoint], from first: Int) {
    if old == new { return }
    let map = MapKind.endpoints(isNodePort: key.isNodePort)
    for index in 0..<max(old.count, new.count) {
      let had = old[safe: index] ?? .absent
      let has = new[safe: index] ?? .absent
      if had == has { continue }
      let number = UInt32(clamping: first + index)
      change(
        map, had == .absent ? nil : Element(key, index: number, had), has == .absent ? nil : Element(key, index: number, has))
    }
  }

  private mutating func appendSlots(_ key: FrontendKey, _ old: [AffinitySlot], _ new: [AffinitySlot], from first: Int) {
    if old == new { return }
    let map = MapKind.affinitySlots(isNodePort: key.isNodePort)
    for index in 0..<max(old.count, new.count) {
      let had = old[safe: index] ?? .absent
      let has = new[safe: index] ?? .absent
      if had == has { continue }
      let number = UInt32(clamping: first + index)
      change(
        map, had == .absent ? nil : Element(key, index: number, had), has == .absent ? nil : Element(key, index: number, has))
    }
  }

  /// Endpoints by the places clients are remembered at.
  private mutating func appendPlaces(_ key: FrontendKey, _ old: FrontendState, _ new: FrontendState) {
    let map = MapKind.endpoints(isNodePort: key.isNodePort)
    let had = old.places
    let has = new.places
    for (slot, endpoint) in has.sorted(by: { $0.key.rawValue < $1.key.rawValue }) where had[slot] != endpoint {
      change(map, had[slot].map { Element(key, index: slot.rawValue, $0) }, Element(key, index: slot.rawValue, endpoint))
    }
    for (slot, endpoint) in had.sorted(by: { $0.key.rawValue < $1.key.rawValue }) where has[slot] == nil {
      change(map, Element(key, index: slot.rawValue, endpoint), nil)
    }
  }

  /// Old ranges go before new ones come, since the kernel refuses those that overlap, within a transaction too. When none come
  /// the old ones go last: packets may be on their way to the chain that asks for them.
  private mutating func appendRanges(_ key: FrontendKey, _ old: [Network], _ new: [Network]) {
    let map = MapKind.sourceRanges(isNodePort: key.isNodePort)
    let gone = old.filter { !new.contains($0) }.map { Element(key, from: $0) }
    if !gone.isEmpty {
      if new.isEmpty { removed.append(gone, to: map) } else { replaced.append(gone, to: map) }
    }
    let come = new.filter { !old.contains($0) }.map { Element(key, from: $0) }
    if old.isEmpty { newRanges.append(come, to: map) } else { added.append(come, to: map) }
  }

  /// Made anew whenever the class is, so that all counts of a front end start together.
  private mutating func appendRefusals(_ key: FrontendKey, _ old: FrontendState, _ new: FrontendState) {
    let map = MapKind.refusals(isNodePort: key.isNodePort)
    for reason in ServiceClass.Refused.allCases {
      change(map, old.refusals.contains(reason) ? Element(key, reason) : nil, new.refusals.contains(reason) ? Element(key, reason) : nil)
    }
  }
}

extension FrontendState {
  /// Endpoints by their places of session affinity.
  fileprivate var places: [AffinitySlot: Endpoint] {
    var places: [AffinitySlot: Endpoint] = [:]
    for (slot, endpoint) in zip(slots, endpoints) where slot.isKnown && endpoint != .absent { places[slot] = endpoint }
    for (slot, endpoint) in zip(localSlots, localEndpoints) where slot.isKnown && endpoint != .absent { places[slot] = endpoint }
    return places
  }
}

extension TableDelta {
  /// The requests of the transaction before.
  package func preparation(_ layout: Layout) -> [Message] {
    newClasses.flatMap { layout.creation(of: $0) }
      + [MapKind.sourceRanges, .nodePortSourceRanges].compactMap { map in newRanges[map].map { .addElements(family, map, $0) } }
  }

  /// The requests of the transaction. What leads somewhere comes after what it leads to, and goes before it: a packet that
  /// reads while the kernel commits meets no dead end.
  package func messages(_ layout: Layout) -> [Message] {
    var messages: [Message] = []
    if !newHairpins.isEmpty { messages.append(.addElements(family, .hairpin, newHairpins.map { Element($0, $0) })) }
    let frontends: [MapKind] = [.serviceIPs, .serviceNodePorts]
    let targets: [MapKind] = [
      .endpoints, .nodePortEndpoints, .affinitySlots, .nodePortAffinitySlots, .sourceRanges, .nodePortSourceRanges, .refusals,
      .nodePortRefusals,
    ]
    for map in targets + frontends {
      if let elements = replaced[map] { messages.append(.deleteElements(family, map, elements)) }
      if let elements = added[map] { messages.append(.addElements(family, map, elements)) }
    }
    for map in frontends + targets.reversed() + [.affinityChains, .nodePortAffinityChains, .classes, .nodePortClasses, .hairpin] {
      if let elements = removed[map] { messages.append(.deleteElements(family, map, elements)) }
    }
    if !oldHairpins.isEmpty { messages.append(.deleteElements(family, .hairpin, oldHairpins.map { Element($0, $0) })) }
    return messages
  }
}

extension Layout {
  /// Table, maps and base chains.
  package var creation: [Message] {
    [.addTable(family)] + MapKind.allCases.map { .addMap(family, $0) }
      + baseChains.map { .addChain(family, $0.name, $0.hook) }
      + baseChains.flatMap { chain in chain.rules.map { .addRule(family, chain: chain.name, $0) } }
  }

  /// The chains and the map element of a class.
  package func creation(of reference: ClassReference) -> [Message] {
    var messages: [Message] = []
    for chain in chains(for: reference) {
      messages.append(.addChain(family, chain.name, nil))
      // Nothing of ours has this name, but an orphan of an earlier run may.
      messages.append(.flushChain(family, chain.name))
      messages += chain.rules.map { .addRule(family, chain: chain.name, $0) }
    }
    messages.append(.addElements(family, reference.map, [Element(reference)]))
    return messages
  }

  package func removal(of references: [ClassReference]) -> [Message] {
    var messages: [Message] = []
    for map in [MapKind.classes, .nodePortClasses, .affinityChains, .nodePortAffinityChains] {
      let elements = references.filter { $0.map == map }.map { Element($0) }
      if !elements.isEmpty { messages.append(.deleteElements(family, map, elements)) }
    }
    // The chain that leads to another one goes first.
    return messages + references.filter(\.ownsChain).flatMap { $0.chains.reversed() }.map { .deleteChain(family, $0) }
  }
}
