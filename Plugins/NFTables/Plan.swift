/// What a table would hold, as `nft list table` would show it.
package enum Plan {
  package static func lines(_ state: TableState) -> [String] {
    let layout = state.layout
    let family = layout.family
    var delta = TableDelta(family)
    for (key, frontend) in state.frontends { delta.append(key, from: nil, to: frontend) }
    var text = TableText(family, comment: Layout.tableComment)
    let references = state.classUses.keys.sorted { $0.chain < $1.chain }
    for map in MapKind.allCases {
      var elements = delta.additions(to: map).map { element in
        element.text(family, map, withValue: true, note: map.isCounted ? " counter packets 0 bytes 0" : "")
      }
      if map.value == .verdict {
        elements = references.filter { $0.map == map }.map { Element($0).text(family, map, withValue: true) }
      } else if map == .hairpin {
        elements = state.hairpinUses.keys.map { Element($0, $0).text(family, map, withValue: true) }
      }
      text.add(map, elements.sorted())
    }
    for chain in layout.baseChains + references.flatMap({ layout.chains(for: $0) }) {
      text.add(chain: chain.name, chain.hook, chain.rules.map { $0.words(family) })
    }
    text.end()
    return text.lines
  }
}
