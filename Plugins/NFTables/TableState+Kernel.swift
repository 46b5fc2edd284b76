extension TableState {
  /// Starts a full load from what the kernel has: all of it is there and none of it is claimed.
  /// - Returns: what brings the parts that do not depend on Services in order.
  package func adopt(_ kernel: KernelTable) -> [Message] {
    frontends = kernel.frontends
    services = [:]
    classUses = [:]
    hairpinUses = [:]
    for (key, state) in frontends { state.forEachReference(key) { classUses[$0, default: 0] += 1 } }
    carried = carried.filter { frontends[$0.key] != nil }
    classes = Set(kernel.classes.filter(\.value).keys)
    hairpins = kernel.hairpins
    idleHairpins = []
    orphanChains = orphans(in: kernel)
    isDeferred = false
    _ = takeRetiring(sparing: .max)
    guard kernel.isPresent else { return layout.creation }
    if !kernel.isCompatible || hasForeignHook(kernel) {
      isDeferred = true
      (frontends, classUses, classes, hairpins, orphanChains) = ([:], [:], [], [], [])
      return []
    }
    return repairs(of: kernel)
  }

  /// What makes base chains, classes and their chains right again; elements of front ends aside.
  private func repairs(of kernel: KernelTable) -> [Message] {
    var messages: [Message] = []
    // Leads nowhere and may stand in the way of what is wanted.
    for (map, elements) in kernel.strays.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
      messages.append(.deleteElements(family, map, elements))
    }
    // Adding one that is there gives it its policy back.
    for chain in layout.baseChains where kernel.chains[chain.name]?.drops ?? true {
      messages.append(.addChain(family, chain.name, chain.hook))
    }
    // Behind the chains: while a table wakes up the kernel takes no base chain (nf_tables_addchain, 6.9).
    if kernel.isDormant { messages.append(.addTable(family)) }
    for chain in layout.baseChains where !isIntact(chain, in: kernel) { messages += rewriting(chain) }
    for (reference, leadsRight) in kernel.classes.sorted(by: { $0.key.chain < $1.key.chain }) {
      if !leadsRight {
        messages.append(.deleteElements(family, reference.map, [Element(reference)]))
        messages += layout.creation(of: reference)
        classes.insert(reference)
        continue
      }
      for chain in layout.chains(for: reference) where !isIntact(chain, in: kernel) {
        if kernel.chains[chain.name] == nil { messages.append(.addChain(family, chain.name, nil)) }
        messages += rewriting(chain)
      }
    }
    return messages
  }

  private func rewriting(_ chain: Chain) -> [Message] {
    [.flushChain(family, chain.name)] + chain.rules.map { .addRule(family, chain: chain.name, $0) }
  }

  func isIntact(_ chain: Chain, in kernel: KernelTable) -> Bool {
    kernel.chains[chain.name]?.fingerprints == chain.rules.map { $0.fingerprint }
  }

  /// A chain of one of our names on another hook cannot be repaired in place.
  func hasForeignHook(_ kernel: KernelTable) -> Bool {
    layout.baseChains.contains { chain in
      guard let image = kernel.chains[chain.name] else { return false }
      if image.hook != chain.hook?.number { return true }
      return chain.hook != nil && (image.type != chain.hook?.type || image.priority != chain.hook?.priority)
    }
  }

  func orphans(in kernel: KernelTable) -> Set<String> {
    var names = Set(kernel.chains.keys)
    names.subtract(layout.baseChains.map(\.name))
    names.subtract(kernel.classes.keys.flatMap(\.chains))
    return names
  }

  /// What turns the kernel's table into the one known here, in parts of bounded size; for a table that somebody changed.
  package func restoration(of kernel: KernelTable, limit: Int) -> [[Message]] {
    if isDeferred { return [] }
    orphanChains.formIntersection(kernel.chains.keys)
    return steps(from: kernel, limit: limit)
  }

  /// The whole table anew, in one transaction.
  package func replacement() -> [Message] {
    [.deleteTable(family)] + steps(from: KernelTable(), limit: .max).flatMap { $0 }
  }

  package func replaced() { isDeferred = false }

  private func steps(from kernel: KernelTable, limit: Int) -> [[Message]] {
    var parts: [[Message]] = []
    var base: [Message] = []
    var start = kernel
    if !kernel.isPresent || !kernel.isCompatible || hasForeignHook(kernel) {
      if kernel.isPresent { base.append(.deleteTable(family)) }
      base += layout.creation
      start = KernelTable()
    } else {
      base += repairs(of: kernel)
    }
    base += classes.filter { start.classes[$0] == nil }.sorted { $0.chain < $1.chain }.flatMap { layout.creation(of: $0) }
    if !base.isEmpty { parts.append(base) }

    var delta = TableDelta(family)
    delta.newHairpins = Array(hairpins.subtracting(start.hairpins))
    delta.oldHairpins = Array(start.hairpins.subtracting(hairpins))
    func append(_ key: FrontendKey, from old: FrontendState?, to new: FrontendState?) {
      delta.append(key, from: old, to: new)
      if delta.weight >= limit { take() }
    }
    func take() {
      parts += [delta.preparation(layout), delta.messages(layout)].filter { !$0.isEmpty }
      delta = TableDelta(family)
    }
    for (key, state) in frontends { append(key, from: start.frontends[key], to: state) }
    for (key, state) in start.frontends where frontends[key] == nil { append(key, from: state, to: nil) }
    take()
    return parts
  }

  /// Front ends nobody claimed, in parts of bounded size.
  package func sweeps(limit: Int) -> [Change] {
    var sweeps: [Change] = []
    var keys: [FrontendKey] = []
    var weight = 0
    for (key, state) in frontends where state.owner == nil {
      keys.append(key)
      weight += elements(of: key)
      if weight >= limit {
        sweeps.append(.sweep(keys, family))
        keys = []
        weight = 0
      }
    }
    return keys.isEmpty ? sweeps : sweeps + [.sweep(keys, family)]
  }

  /// What is left to remove when nothing unclaimed leads to it any more.
  package func tidying() -> [Message] {
    var delta = TableDelta(family)
    delta.oldHairpins = hairpins.filter { hairpinUses[$0] == nil }
    // A chain whose class somebody flushed from its map is an orphan only until the class is wanted again.
    let orphans = orphanChains.subtracting(classes.flatMap(\.chains)).sorted()
    return delta.messages(layout) + orphans.map { .flushChain(family, $0) } + orphans.map { .deleteChain(family, $0) }
  }

  package func tidied() {
    orphanChains = []
    forget(hairpins: hairpins.filter { hairpinUses[$0] == nil })
  }

  /// A service port that cannot be programmed keeps what the kernel has for it, as far as it is known and nobody else's.
  package func hold(_ port: ServicePort) {
    guard services[port.key] == nil else { return }
    var frontends: [(key: FrontendKey, state: FrontendState)] = []
    var addresses: [Address] = []
    for (key, _) in port.frontends {
      guard var state = self.frontends[key], state.owner == nil else { continue }
      state.owner = port.key
      put(key, state)
      frontends.append((key, state))
      for endpoint in state.endpoints + state.localEndpoints
      where hairpins.contains(endpoint.address) && !addresses.contains(endpoint.address) {
        addresses.append(endpoint.address)
        hairpinUses[endpoint.address, default: 0] += 1
      }
    }
    if frontends.isEmpty { return }
    services[port.key] = ServicePort(key: port.key, family: family, frontends: frontends, hairpins: addresses)
  }
}
