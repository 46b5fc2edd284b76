import PluginKit

/// The kernel's objects for one service port as they are now.
struct Explanation {
  private let state: TableState
  private let readback: Readback
  private var family: Family { state.family }

  init(_ state: TableState, _ connection: NetlinkConnection) {
    self.state = state
    readback = Readback(connection)
  }

  func lines(_ record: ServicePort) throws(BackendFault) -> [String] {
    var delta = TableDelta(family)
    var references: [ClassReference] = []
    for key in record.frontendKeys {
      guard let frontend = state.frontends[key] else { continue }
      delta.append(key, from: nil, to: frontend)
      frontend.forEachReference(key) { if !references.contains($0) { references.append($0) } }
    }
    delta.added.append(record.hairpins.map { Element($0, $0) }, to: .hairpin)
    for reference in references { delta.added.append(Element(reference), to: reference.map) }

    var text = TableText(family)
    for map in MapKind.allCases {
      let elements =
        map.isDynamic ? try clients(map, of: record) : try present(map, delta.additions(to: map))
      if !elements.isEmpty { text.add(map, elements, definition: false) }
    }
    let chains = try readback.chains(family)
    for name in [Layout.servicesChain] + references.flatMap(\.chains) {
      text.add(chain: name, nil, rules(of: name, references, chains[name]))
    }
    text.end()
    return text.lines
  }

  /// What the kernel has under the keys; what it lacks is said.
  private func present(_ map: MapKind, _ elements: [Element]) throws(BackendFault) -> [String] {
    var lines: [String] = []
    for element in elements {
      var found: String?
      _ = try readback.elements(family, map, keys: [element]) { found = $0.text(family, map) }
      lines.append(found ?? "\(element.text(family, map, withValue: false)) # not in the kernel")
    }
    return lines
  }

  private func clients(_ map: MapKind, of record: ServicePort) throws(BackendFault) -> [String] {
    let ours = record.frontendKeys.filter { $0.isNodePort == map.isNodePort }
    let keys = Set(ours.filter { state.frontends[$0]?.serviceClass?.hasAffinity == true })
    if keys.isEmpty { return [] }
    return try readback.allElements(family, map).filter { keys.contains($0.element.key) }.map { $0.text(family, map) }.sorted()
  }

  /// The rules the kernel has, known by their fingerprints.
  private func rules(of name: String, _ references: [ClassReference], _ image: KernelTable.ChainImage?) -> [String] {
    guard let image else { return ["# not in the kernel"] }
    let chains = state.layout.baseChains + references.flatMap { state.layout.chains(for: $0) }
    let known = chains.first { $0.name == name }?.rules ?? []
    return image.fingerprints.map { fingerprint in
      known.first { $0.fingerprint == fingerprint }?.words(family) ?? "# a rule of somebody else"
    }
  }
}
