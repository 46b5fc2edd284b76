/// What is wanted in one family and what the kernel is known to hold; makes the edits that lead from one to the other.
package struct FamilyState: Sendable {
  package let layout: Layout
  package private(set) var kernel = KernelRules()
  package private(set) var records: [String: Contribution] = [:]
  private let fixed: [ChainID: [RuleText]]
  /// How many service ports want a rule of a shared chain.
  private var uses: [ChainID: [RuleText: Int]]

  package init(_ layout: Layout) {
    self.layout = layout
    fixed = layout.fixed
    uses = Dictionary(uniqueKeysWithValues: Layout.shared.map { ($0, [:]) })
  }

  // MARK: - What is wanted

  private enum Wanted {
    case ordered([RuleText])
    case unordered([RuleText: Int])
    case nothing
  }

  /// Chains a staged set of changes touched, and how to take it back.
  package struct Staged {
    package fileprivate(set) var touched: Set<ChainID> = []
    fileprivate var previous: [(key: String, Contribution?)] = []
  }

  package mutating func beginLoad(_ kernel: KernelRules, keepsLoopbackGuard: Bool = false) {
    var layout = layout
    layout.keepsLoopbackGuard = keepsLoopbackGuard
    self = FamilyState(layout)
    self.kernel = kernel
  }

  /// The kernel was read again.
  package mutating func adopt(_ kernel: KernelRules) { self.kernel = kernel }

  package mutating func stage(_ changes: [Change]) -> Staged {
    var staged = Staged()
    for change in changes {
      let old = records[change.key]
      let new: Contribution?
      switch change {
      case .upsert(let port): new = Contribution(port, layout)
      case .removal: new = nil
      case .healthChecks(let ports, _): new = ports.isEmpty ? nil : Contribution(healthChecks: ports)
      }
      if old == new { continue }
      staged.previous.append((change.key, old))
      staged.touched.formUnion(old?.touched ?? [])
      staged.touched.formUnion(new?.touched ?? [])
      set(change.key, new)
    }
    return staged
  }

  package mutating func revert(_ staged: Staged) {
    for (key, contribution) in staged.previous.reversed() { set(key, contribution) }
  }

  /// What the host knows of.
  package var serviceKeys: [String] { records.keys.filter { $0 != Change.healthKey } }

  /// A service port that could not be programmed in a full load: what an earlier run left of it is what is wanted.
  package mutating func hold(_ key: String) {
    guard records[key] == nil else { return }
    var found = Contribution()
    if key == Change.healthKey {
      let id = ChainID(.filter, ChainName.health)
      found.entries[id] = kernel.chains[id]
      return set(key, found)
    }
    let suffix = "-" + Digest.name(key)
    for (id, rules) in kernel.chains where id.name.hasSuffix(suffix) { found.chains[id] = rules }
    let start = Rule.commentStart(ofKey: key)
    for (id, rules) in kernel.chains where isShared(id) {
      let own = rules.filter { $0.contains(start) }
      if own.isEmpty { continue }
      found.entries[id] = own
      // What leads to a bucket names no service port.
      for rule in kernel.chains[ChainID(id.table, ChainName.addresses)] ?? [] where rule.hasSuffix(" -j \(id.name)") {
        found.entries[ChainID(id.table, ChainName.addresses), default: []] += own.map { _ in rule }
      }
    }
    let destinations = found.chains.values.joined().compactMap { $0.split(separator: " ").last }
    let hairpin = Layout.hairpins
    for rule in kernel.chains[hairpin] ?? [] {
      guard let address = rule.split(separator: " ").dropFirst().first?.split(separator: "/").first else { continue }
      if destinations.contains(where: { $0.hasPrefix("\(address):") || $0.hasPrefix("[\(address)]") }) {
        found.entries[hairpin, default: []].append(rule)
      }
    }
    if found != Contribution() { set(key, found) }
  }

  private func isShared(_ id: ChainID) -> Bool { Layout.shared.contains(id) || ChainName.isBucket(id.name) }

  private mutating func set(_ key: String, _ new: Contribution?) {
    for (id, rules) in records[key]?.entries ?? [:] {
      for rule in rules { count(id, rule, -1) }
    }
    records[key] = new
    for (id, rules) in new?.entries ?? [:] {
      for rule in rules { count(id, rule, 1) }
    }
  }

  private mutating func count(_ id: ChainID, _ rule: RuleText, _ change: Int) {
    let count = (uses[id]?[rule] ?? 0) + change
    uses[id, default: [:]][rule] = count > 0 ? count : nil
    if uses[id]?.isEmpty == true, !Layout.shared.contains(id) { uses[id] = nil }
  }

  // MARK: - Edits

  /// All chains that are wanted or there.
  package var allChains: Set<ChainID> {
    var ids = Set(fixed.keys).union(uses.keys).union(kernel.chains.keys)
    for record in records.values { ids.formUnion(record.chains.keys) }
    return ids
  }

  /// - Parameter removing: false: what is not wanted stays, but for rules of chains that have an order.
  package func edits(_ ids: some Sequence<ChainID>, removing: Bool) -> [Edit] {
    // Only the chains of the service ports in question are looked for.
    let wantedIDs = Set(ids)
    var owned: [ChainID: [RuleText]] = [:]
    for record in records.values {
      for (id, rules) in record.chains where wantedIDs.contains(id) { owned[id] = rules }
    }
    return wantedIDs.sorted().compactMap { edit($0, wanted($0, owned), removing: removing) }
  }

  /// As above, for chains known to belong to these service ports or to all.
  package func edits(_ staged: Staged, removing: Bool) -> [Edit] {
    var owned: [ChainID: [RuleText]] = [:]
    for (key, _) in staged.previous {
      for (id, rules) in records[key]?.chains ?? [:] { owned[id] = rules }
    }
    return staged.touched.sorted().compactMap { edit($0, wanted($0, owned), removing: removing) }
  }

  private func wanted(_ id: ChainID, _ owned: [ChainID: [RuleText]]) -> Wanted {
    if let rules = fixed[id] ?? owned[id] { return .ordered(rules) }
    if let rules = uses[id] { return .unordered(rules) }
    return .nothing
  }

  private func edit(_ id: ChainID, _ wanted: Wanted, removing: Bool) -> Edit? {
    let there = kernel.chains[id]
    switch wanted {
    case .ordered(let rules): return there == rules ? nil : Edit(id, .replace(rules))
    case .nothing: return removing && there != nil ? Edit(id, .remove) : nil
    case .unordered(let rules):
      var present: Set<RuleText> = []
      var delete: [RuleText] = []
      for rule in there ?? [] {
        // One that is there twice goes once.
        if rules[rule] == nil || !present.insert(rule).inserted { delete.append(rule) }
      }
      let add = rules.keys.filter { !present.contains($0) }.sorted()
      if !removing { delete = [] }
      if there != nil, add.isEmpty, delete.isEmpty { return nil }
      if delete.count > 16, id != Layout.hairpins { return Edit(id, .rewrite(add: add, all: rules.keys.sorted())) }
      return Edit(id, .amend(isNew: there == nil, add: add, delete: delete))
    }
  }

  package func jumpEdits() -> [Edit] {
    let wanted = layout.jumps
    return Set(wanted.keys).union(kernel.jumps.keys).sorted().compactMap { id in
      let there = kernel.jumps[id] ?? []
      let rules = wanted[id] ?? []
      return there == rules ? nil : Edit(id, .jumps(delete: there, insert: rules))
    }
  }

  /// The kernel has them.
  package mutating func commit(_ edits: [Edit]) {
    for edit in edits {
      switch edit.action {
      case .replace(let rules), .rewrite(_, let rules): kernel.chains[edit.chain] = rules
      case .remove: kernel.chains[edit.chain] = nil
      case .jumps(_, let insert): kernel.jumps[edit.chain] = insert.isEmpty ? nil : insert
      case .amend(_, let add, let delete):
        var rules = (kernel.chains[edit.chain] ?? []) + add
        for rule in delete {
          if let place = rules.firstIndex(of: rule) { rules.remove(at: place) }
        }
        kernel.chains[edit.chain] = rules
      }
    }
  }

  // MARK: - Damage

  /// What differs between the kernel and what is known of it.
  package func damage(in found: KernelRules) -> [String] {
    var lines: [String] = []
    let name = layout.family.toolPrefix
    for id in Set(kernel.chains.keys).union(found.chains.keys).sorted() {
      switch (kernel.chains[id], found.chains[id]) {
      case (_?, nil): lines.append("\(name): \(id) is gone")
      case (nil, _?): lines.append("\(name): \(id) is not ours to have")
      case (let known?, let there?):
        if isShared(id) ? known.sorted() != there.sorted() : known != there {
          lines.append("\(name): \(id) has \(there.count) rules that are not the \(known.count) programmed")
        }
      case (nil, nil): continue
      }
    }
    for id in Set(kernel.jumps.keys).union(found.jumps.keys).sorted() where kernel.jumps[id] != found.jumps[id] {
      lines.append("\(name): the rules of \(id) that lead to services are not those programmed")
    }
    return lines
  }

  /// How often each of our chains is used: by its rules and by the rules that lead to it. As nf_tables counts it.
  package func expectedUses() -> [ChainID: Int] {
    var uses = kernel.chains.mapValues(\.count)
    for (id, rules) in kernel.chains.merging(kernel.jumps, uniquingKeysWith: { one, _ in one }) {
      for target in rules.compactMap(Rule.target) where target.hasPrefix(ChainName.prefix) {
        uses[ChainID(id.table, String(target)), default: 0] += 1
      }
    }
    return uses
  }
}
