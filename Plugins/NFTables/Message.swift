/// One request to nf_tables, as a value: what rendering makes and encoding turns into bytes.
package enum Message: Equatable, Sendable {
  case addTable(Family)
  /// Ours, unless another is named.
  case deleteTable(Family, name: String = Layout.table)
  case addMap(Family, MapKind)
  case addChain(Family, String, Chain.Hook?)
  /// Removes the rules of a chain.
  case flushChain(Family, String)
  case deleteChain(Family, String)
  case addRule(Family, chain: String, Rule)
  case addElements(Family, MapKind, [Element])
  case deleteElements(Family, MapKind, [Element])
}

extension Message {
  package var family: Family {
    switch self {
    case .addTable(let family), .deleteTable(let family, _), .addMap(let family, _), .addChain(let family, _, _),
      .flushChain(let family, _), .deleteChain(let family, _), .addRule(let family, _, _), .addElements(let family, _, _),
      .deleteElements(let family, _, _):
      family
    }
  }

  /// Elements it carries.
  package var weight: Int {
    switch self {
    case .addElements(_, _, let elements), .deleteElements(_, _, let elements): elements.count
    default: 1
    }
  }

  /// In `nft`'s words as far as it has them; one line each.
  package var lines: [String] {
    let table = "\(family.name) \(Layout.table)"
    switch self {
    case .addTable: return ["add table \(table)"]
    case .deleteTable(let family, let name): return ["delete table \(family.name) \(name)"]
    case .addMap(let family, let map):
      return ["add \(map.value == .none ? "set" : "map") \(table) \(map.name) { \(map.definition(family).joined(separator: "; ")) }"]
    case .addChain(_, let name, nil): return ["add chain \(table) \(name)"]
    case .addChain(_, let name, let hook?): return ["add chain \(table) \(name) { \(hook.definition) }"]
    case .flushChain(_, let name): return ["flush chain \(table) \(name)"]
    case .deleteChain(_, let name): return ["delete chain \(table) \(name)"]
    case .addRule(let family, let chain, let rule): return ["add rule \(table) \(chain) \(rule.words(family))"]
    case .addElements(let family, let map, let elements):
      return elements.map { "add element \(table) \(map.name) { \($0.text(family, map, withValue: true)) }" }
    case .deleteElements(let family, let map, let elements):
      return elements.map { "delete element \(table) \(map.name) { \($0.text(family, map, withValue: false)) }" }
    }
  }

  /// For errors: the first line, and how many more there are.
  package var summary: String {
    let lines = lines
    guard let first = lines.first else { return "nothing" }
    return lines.count == 1 ? first : "\(first) and \(lines.count - 1) more"
  }
}
