extension TableState {
  /// What the kernel's table is not, or is beside, what is known here; one line for each thing.
  package func differences(from kernel: KernelTable) -> [String] {
    let table = "table \(family.name) \(Layout.table)"
    guard kernel.isPresent else { return ["\(table) is gone"] }
    guard kernel.isCompatible else { return ["\(table) is of another layout or lacks a map"] }
    if kernel.isDormant { return ["\(table) is dormant"] }
    return (chainDifferences(kernel) + classDifferences(kernel) + elementDifferences(kernel)).map { "\(table): \($0)" }
  }

  private func chainDifferences(_ kernel: KernelTable) -> [String] {
    var lines: [String] = []
    let expected = layout.baseChains + classes.flatMap { layout.chains(for: $0) }
    for chain in expected.sorted(by: { $0.name < $1.name }) {
      guard let image = kernel.chains[chain.name] else {
        lines.append("chain \(chain.name) is gone")
        continue
      }
      let isHooked = image.hook == chain.hook?.number && (chain.hook == nil || image.type == chain.hook?.type)
      if image.drops { lines.append("chain \(chain.name) has the policy drop") }
      if !isHooked || image.fingerprints != chain.rules.map(\.fingerprint) { lines.append("chain \(chain.name) is not as it was made") }
    }
    let names = Set(expected.map(\.name))
    return lines + kernel.chains.keys.filter { !names.contains($0) }.sorted().map { "chain \($0) is somebody else's" }
  }

  private func classDifferences(_ kernel: KernelTable) -> [String] {
    let wrong = classes.filter { kernel.classes[$0] != true }.map { "element of \($0.map.name) for chain \($0.chain) is gone or wrong" }
    let added = kernel.classes.keys.filter { !classes.contains($0) }.map { "element of \($0.map.name) for chain \($0.chain) was added" }
    return wrong.sorted() + added.sorted()
  }

  private func elementDifferences(_ kernel: KernelTable) -> [String] {
    var lines: [String] = []
    for (key, state) in frontends {
      var there = kernel.frontends[key] ?? .unclaimed
      there.owner = state.owner
      if there == state { continue }
      var delta = TableDelta(family)
      delta.append(key, from: there, to: state)
      if !delta.isEmpty { lines.append("front end \(key.text(family)) of \(state.owner ?? "nobody") is not as it was made") }
    }
    for key in kernel.frontends.keys where frontends[key] == nil { lines.append("front end \(key.text(family)) is somebody else's") }
    for address in hairpins.symmetricDifference(kernel.hairpins) {
      lines.append("hairpin of \(address.text(family)) \(hairpins.contains(address) ? "is gone" : "is somebody else's")")
    }
    for (map, elements) in kernel.strays { lines.append("\(elements.count) elements of \(map.name) are somebody else's") }
    return lines.sorted()
  }
}
