/// What we know a table holds: after each commit, exactly what the kernel has. Kept small, since it grows with the cluster.
package final class TableState {
  package struct ServiceRecord: Equatable {
    package var frontends: [FrontendKey]
    package var hairpins: [Address]
  }

  package let layout: Layout
  package internal(set) var frontends: [FrontendKey: FrontendState] = [:]
  package internal(set) var services: [String: ServiceRecord] = [:]
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

  package init(_ layout: Layout) { self.layout = layout }

  /// What the kernel has to do for these changes together; a front end may move from one service port to another among them.
  package func delta(for changes: [Change]) -> TableDelta {
    var delta = TableDelta(family)
    var uses: [ClassReference: Int] = [:]
    var hairpinSteps: [Address: Int] = [:]
    var targets: [FrontendKey: FrontendState?] = [:]
    var order: [FrontendKey] = []
    func aim(_ key: FrontendKey, at state: FrontendState?, isClaim: Bool) {
      let isNew = targets[key] == nil
      if isNew { order.append(key) }
      // A claim of one service port outweighs the release by another, whichever comes first.
      if isNew || isClaim { targets[key] = .some(state) }
    }
    for change in changes where change.family == family {
      if let key = change.serviceKey, let record = services[key] {
        for frontend in record.frontends { aim(frontend, at: nil, isClaim: false) }
        for address in record.hairpins { hairpinSteps[address, default: 0] -= 1 }
      }
      switch change {
      case .upsert(let port):
        for frontend in port.frontends { aim(frontend.key, at: frontend.state, isClaim: true) }
        for address in port.hairpins { hairpinSteps[address, default: 0] += 1 }
      case .sweep(let keys, _): for key in keys { aim(key, at: nil, isClaim: false) }
      case .removal: break
      }
    }
    for key in order {
      let old = frontends[key]
      var new = targets[key] ?? nil
      if let old { new?.arrange(like: old) }
      delta.settled.append((key, new))
      delta.append(key, from: old, to: new)
      old?.forEachReference(key) { uses[$0, default: 0] -= 1 }
      new?.forEachReference(key) { uses[$0, default: 0] += 1 }
    }
    delta.newClasses = uses.filter { (classUses[$0.key] ?? 0) + $0.value > 0 && !classes.contains($0.key) }.keys.sorted {
      $0.chain < $1.chain
    }
    for (address, step) in hairpinSteps {
      let count = (hairpinUses[address] ?? 0) + step
      if count > 0, !hairpins.contains(address) { delta.newHairpins.append(address) }
    }
    return delta
  }

  /// Elements a change may touch at most.
  package func weight(of change: Change) -> Int {
    let old =
      if case .sweep(let keys, _) = change { keys } else { change.serviceKey.flatMap { services[$0]?.frontends } ?? [] }
    var weight = old.reduce(1) { $0 + elements(of: $1) }
    if case .upsert(let port) = change { weight += port.frontends.reduce(0) { $0 + $1.state.weight } }
    return weight
  }

  func elements(of key: FrontendKey) -> Int { frontends[key]?.weight ?? 1 }

  /// Takes over what the kernel has committed.
  package func commit(_ changes: [Change], _ delta: TableDelta) {
    var touched: [Address] = []
    for change in changes where change.family == family {
      if let key = change.serviceKey, let record = services.removeValue(forKey: key) {
        for address in record.hairpins { count(&hairpinUses, address, -1) }
        touched += record.hairpins
      }
      if case .upsert(let port) = change {
        services[port.key] = ServiceRecord(frontends: port.frontends.map(\.key), hairpins: port.hairpins)
        for address in port.hairpins { count(&hairpinUses, address, 1) }
        touched += port.hairpins
      }
    }
    for (key, state) in delta.settled {
      if let state { put(key, state) } else { drop(key) }
    }
    if isDeferred { classes.formUnion(delta.newClasses) }
    hairpins.formUnion(delta.newHairpins)
    for address in touched {
      if hairpinUses[address] == nil, hairpins.contains(address) { idleHairpins.insert(address) } else { idleHairpins.remove(address) }
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

  private func drop(_ key: FrontendKey) {
    carried[key] = nil
    frontends.removeValue(forKey: key)?.forEachReference(key) { count(&classUses, $0, -1) }
  }

  private func count<Key: Hashable>(_ uses: inout [Key: Int], _ key: Key, _ step: Int) {
    let value = (uses[key] ?? 0) + step
    uses[key] = value > 0 ? value : nil
  }
}
