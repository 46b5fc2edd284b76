/// What we know a table holds: after each commit, exactly what the kernel has. Kept small, since it grows with the cluster.
package final class TableState {
  package let layout: Layout
  package internal(set) var frontends: [FrontendKey: FrontendState] = [:]
  /// As they were asked for; how the kernel has their front ends is in `frontends`.
  package internal(set) var services: [ServiceKey: ServicePort] = [:]
  /// Front ends of each class.
  package internal(set) var classUses: [ClassReference: Int] = [:]
  package internal(set) var classes: Set<ClassReference> = []
  /// Those without a front end when it was last looked at.
  private var idleClasses: Set<ClassReference> = []
  /// Service ports with an endpoint at the address.
  package internal(set) var hairpinUses: [Address: Int] = [:]
  package internal(set) var hairpins: Set<Address> = []
  /// Those of them that no service port wants any more; kept, so that no change has to look through all.
  package internal(set) var idleHairpins: Set<Address> = []
  /// Left by somebody in our table; removed when a full load is complete.
  package internal(set) var orphanChains: Set<String> = []
  /// What elements counted that are gone since, of front ends that stay.
  package internal(set) var carried: [FrontendKey: FrontendCounts] = [:]
  /// The table in the kernel is of another layout: nothing is sent until the load is complete, then all at once.
  package internal(set) var isDeferred = false

  package var family: Family { layout.family }

  /// So many service ports will come: dictionaries that grow with each batch of a load are made anew, and hashed, again and again.
  package func expect(services count: Int) {
    services.reserveCapacity(services.count + count)
    frontends.reserveCapacity(frontends.count + count)
  }

  package init(_ layout: Layout) { self.layout = layout }

  /// What the kernel has to do for these changes together; a front end may move from one service port to another among them.
  package func delta(for changes: some Collection<Change>) -> TableDelta {
    var delta = TableDelta(family)
    var hairpinSteps: [Address: Int] = [:]
    // No two of the changes claim one front end, so places are asked for once one is given up.
    var places: [FrontendKey: Int]?
    delta.settled.reserveCapacity(changes.count)
    // Asked for each change: one access to the fields instead of one for each.
    let (services, frontends) = (services, frontends)
    func aim(_ key: FrontendKey, at state: FrontendState?, isClaim: Bool) {
      if places == nil {
        if isClaim { return delta.settled.append((key, state)) }
        places = [:]
        for (place, settled) in delta.settled.enumerated() { places?[settled.key] = place }
      }
      if let place = places?.updateValue(delta.settled.count, forKey: key) {
        places?[key] = place
        // A claim of one service port outweighs the release by another, whichever comes first.
        if isClaim, delta.settled.indices.contains(place) { delta.settled[place].state = state }
      } else {
        delta.settled.append((key, state))
      }
    }
    for change in changes where change.family == family {
      if let key = change.serviceKey, let record = services[key] {
        for frontend in record.frontends { aim(frontend.key, at: nil, isClaim: false) }
        for address in record.hairpins { hairpinSteps[address, default: 0] -= 1 }
      }
      switch change {
      case .upsert(let port):
        for index in port.frontends.indices { aim(port.frontends[index].key, at: port.frontends[index].state, isClaim: true) }
        for address in port.hairpins { hairpinSteps[address, default: 0] += 1 }
      case .sweep(let keys, _): for key in keys { aim(key, at: nil, isClaim: false) }
      case .removal: break
      }
    }
    delta.reserve()
    for index in delta.settled.indices {
      let key = delta.settled[index].key
      if let old = frontends[key] {
        delta.settled[index].state?.arrange(like: old)
        delta.append(key, from: old, to: delta.settled[index].state ?? .unclaimed)
        old.forEachReference(key) { delta.use($0, -1) }
      } else {
        delta.appendNew(at: index)
      }
      delta.settled[index].state?.forEachReference(key) { delta.use($0, 1) }
    }
    delta.endRun()
    delta.newClasses = delta.uses.filter { (classUses[$0.key] ?? 0) + $0.value > 0 && !classes.contains($0.key) }.keys.sorted {
      $0.chain < $1.chain
    }
    for (address, step) in hairpinSteps {
      let count = (hairpinUses[address] ?? 0) + step
      if count > 0, !hairpins.contains(address) { delta.newHairpins.append(address) }
    }
    return delta
  }

  /// Key of the service port a front end is claimed by.
  package func owner(of key: FrontendKey) -> ServiceKey? {
    frontends.index(forKey: key).flatMap { frontends.values[$0].owner }
  }

  /// Elements a change may touch at most.
  /// - Parameter isLoading: a load tells of each service port once, and what the kernel has is claimed by none.
  package func weight(of change: Change, isLoading: Bool = false) -> Int {
    var weight = 1
    switch change {
    case .upsert(let port): for index in port.frontends.indices { weight += port.frontends[index].state.weight }
    case .sweep(let keys, _): for key in keys { weight += elements(of: key) }
    case .removal: break
    }
    guard !isLoading, let key = change.serviceKey else { return weight }
    for frontend in services[key]?.frontends ?? [] { weight += elements(of: frontend.key) }
    return weight
  }

  func elements(of key: FrontendKey) -> Int { frontends[key]?.weight ?? 1 }

  /// Takes over what the kernel has committed.
  /// - Parameter delta: of these changes; what is settled moves out of it.
  package func commit(_ changes: some Collection<Change>, _ delta: inout TableDelta) {
    var touched: [Address] = []
    func note(hairpinsOf port: ServicePort, _ step: Int) {
      for address in port.hairpins { count(&hairpinUses, address, step) }
      touched += port.hairpins
    }
    for change in changes where change.family == family {
      switch change {
      case .upsert(let port):
        if let former = services.updateValue(port, forKey: port.key), !former.hairpins.isEmpty { note(hairpinsOf: former, -1) }
        if !port.hairpins.isEmpty { note(hairpinsOf: port, 1) }
      case .removal(let key, _):
        if let former = services.removeValue(forKey: key) { note(hairpinsOf: former, -1) }
      case .sweep: break
      }
    }
    settle(&delta, in: &frontends)
    for (reference, step) in delta.uses { count(&classUses, reference, step) }
    if isDeferred { classes.formUnion(delta.newClasses) }
    hairpins.formUnion(delta.newHairpins)
    for address in touched {
      if hairpinUses[address] == nil, hairpins.contains(address) { idleHairpins.insert(address) } else { idleHairpins.remove(address) }
    }
  }

  private func settle(_ delta: inout TableDelta, in frontends: inout [FrontendKey: FrontendState]) {
    // Each front end is there once.
    while let (key, state) = delta.settled.popLast() {
      if let state {
        frontends[key] = state
      } else {
        frontends[key] = nil
        carried[key] = nil
      }
    }
  }

  /// What goes once no packet is on its way that was sent by the rules before.
  package func hairpinRemoval() -> [Message] {
    if isDeferred || idleHairpins.isEmpty { return [] }
    return [.deleteElements(family, .hairpin, idleHairpins.map { Element($0, $0) })]
  }

  /// The kernel does not have them any more.
  package func forget(hairpins gone: Set<Address>) {
    hairpins.subtract(gone)
    idleHairpins.subtract(gone)
  }

  package func commit(newClasses: [ClassReference]) { classes.formUnion(newClasses) }

  /// Classes that can go from the kernel. One that just lost its last front end stays: packets may be on their way to its
  /// chain. And a few are always kept, since the next rollout wants them again.
  package func takeRetiring(sparing limit: Int = 32) -> [ClassReference] {
    let unused = classes.filter { classUses[$0] == nil }
    let idle = unused.intersection(idleClasses)
    idleClasses = unused
    return unused.count > limit ? idle.sorted { $0.chain < $1.chain } : []
  }

  package func forget(_ retired: [ClassReference]) { classes.subtract(retired) }

  func put(_ key: FrontendKey, _ state: FrontendState) {
    frontends.updateValue(state, forKey: key)?.forEachReference(key) { count(&classUses, $0, -1) }
    state.forEachReference(key) { count(&classUses, $0, 1) }
  }

  private func count<Key: Hashable>(_ uses: inout [Key: Int], _ key: Key, _ step: Int) {
    let value = (uses[key] ?? 0) + step
    uses[key] = value > 0 ? value : nil
  }
}
