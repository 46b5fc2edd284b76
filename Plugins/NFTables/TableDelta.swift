/// What has to be added to and removed from one table, sorted the way a transaction wants it.
package struct TableDelta: Sendable {
  package let family: Family
  /// Made in a transaction of their own before this one: a packet that began in the old generation may already read elements of
  /// the new one, and would find a chain made together with them still empty.
  package var newClasses: [ClassReference] = []
  package var newHairpins: [Address] = []
  package var oldHairpins: [Address] = []
  /// Elements that keep their key and get another value: an element cannot be changed, so it is deleted and added in one
  /// transaction, which packets see as one step.
  package var replaced: [MapKind: [Element]] = [:]
  package var added: [MapKind: [Element]] = [:]
  package var removed: [MapKind: [Element]] = [:]

  /// What the front ends concerned are afterwards; nil: gone.
  package var settled: [(key: FrontendKey, state: FrontendState?)] = []

  package init(_ family: Family) { self.family = family }

  package var isEmpty: Bool { newHairpins.isEmpty && oldHairpins.isEmpty && replaced.isEmpty && added.isEmpty && removed.isEmpty }
  package var weight: Int { [replaced, added, removed].reduce(0) { $0 + $1.values.reduce(0) { $0 + $1.count } } }

  /// Adds what turns one state of a front end into another; nil is "not there".
  package mutating func append(_ key: FrontendKey, from old: FrontendState?, to new: FrontendState?) {
    let endpointMap = MapKind.endpoints(isNodePort: key.isNodePort)
    let before = old?.endpoints ?? []
    let after = new?.endpoints ?? []
    if before != after {
      for index in 0..<max(before.count, after.count) {
        let had = before[safe: index] ?? .absent
        let has = after[safe: index] ?? .absent
        if had == has { continue }
        let number = UInt32(clamping: index)
        let element = Element(key, index: number, has)
        if had == .absent {
          added[endpointMap, default: []].append(element)
        } else if has == .absent {
          removed[endpointMap, default: []].append(Element(key, index: number, had))
        } else {
          replaced[endpointMap, default: []].append(Element(key, index: number, had))
          added[endpointMap, default: []].append(element)
        }
      }
    }
    let frontendMap = MapKind.frontends(isNodePort: key.isNodePort)
    switch (old?.serviceClass, new?.serviceClass) {
    case (nil, nil): break
    case (nil, let has?): added[frontendMap, default: []].append(Element(key, has))
    case (let had?, nil): removed[frontendMap, default: []].append(Element(key, had))
    case (let had?, let has?):
      if had == has { break }
      replaced[frontendMap, default: []].append(Element(key, had))
      added[frontendMap, default: []].append(Element(key, has))
    }
  }
}

extension TableDelta {
  /// The requests of the transaction. What leads somewhere comes after what it leads to, and goes before it: a packet that
  /// reads while the kernel commits meets no dead end.
  package func messages(_ layout: Layout) -> [Message] {
    var messages: [Message] = []
    if !newHairpins.isEmpty { messages.append(.addElements(family, .hairpin, newHairpins.map { Element($0, $0) })) }
    let endpoints: [MapKind] = [.endpoints, .nodePortEndpoints]
    let frontends: [MapKind] = [.serviceIPs, .serviceNodePorts]
    for map in endpoints + frontends {
      if let elements = replaced[map] { messages.append(.deleteElements(family, map, elements)) }
      if let elements = added[map] { messages.append(.addElements(family, map, elements)) }
    }
    for map in frontends + endpoints + [.classes, .nodePortClasses, .hairpin] {
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

  /// The chain and the map element of a class.
  package func creation(of reference: ClassReference) -> [Message] {
    let chain = chain(for: reference)
    var messages: [Message] = []
    if reference.ownsChain {
      messages.append(.addChain(family, chain.name, nil))
      // Nothing of ours has this name, but an orphan of an earlier run may.
      messages.append(.flushChain(family, chain.name))
      messages += chain.rules.map { .addRule(family, chain: chain.name, $0) }
    }
    messages.append(.addElements(family, .classes(isNodePort: reference.isNodePort), [Element(reference)]))
    return messages
  }

  package func removal(of references: [ClassReference]) -> [Message] {
    var messages: [Message] = []
    for isNodePort in [false, true] {
      let elements = references.filter { $0.isNodePort == isNodePort }.map { Element($0) }
      if !elements.isEmpty { messages.append(.deleteElements(family, .classes(isNodePort: isNodePort), elements)) }
    }
    return messages + references.filter(\.ownsChain).map { .deleteChain(family, $0.chain) }
  }
}
