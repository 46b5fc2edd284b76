/// Takes chains away together with what leads to them.
package struct Removal: Equatable, Sendable {
  /// Loads in the order they have to go.
  package private(set) var loads: [RestoreInput] = []
  /// "chain KUBE-SERVICES of table nat"
  package private(set) var names: [String] = []

  /// - Parameters:
  ///   - chunk: chains of one load.
  ///   - shared: names of chains that stay as long as a rule in a chain that stays leads to them.
  ///   - isUnwanted: of table and chain.
  package init(from saved: SavedRules, chunk: Int, sparing shared: Set<String> = [], _ isUnwanted: (String, String) -> Bool) {
    for table in saved.tables {
      let used = Self.used(shared, in: table, isUnwanted)
      let chains = table.chains.filter { !table.builtin.contains($0) && !used.contains($0) && isUnwanted(table.name, $0) }
      let unwanted = Set(chains)
      let leading = table.rules.filter { rule in
        !unwanted.contains(rule.chain) && (Rule.target(of: rule.text).map { unwanted.contains(String($0)) } ?? false)
      }
      names += leading.map { "rule of chain \($0.chain) of table \(table.name): \($0.text)" }
      names += chains.map { "chain \($0) of table \(table.name)" }
      add(table.name, leading.map { "-D \($0.chain) \($0.text)" })
      // All are emptied before the first goes: they lead to each other.
      if chains.count <= chunk {
        add(table.name, chains.map { ":\($0) - [0:0]" } + chains.map { "-X \($0)" })
      } else {
        for action in [{ (name: String) in ":\(name) - [0:0]" }, { (name: String) in "-X \(name)" }] {
          for start in stride(from: 0, to: chains.count, by: chunk) {
            add(table.name, chains[start..<min(start + chunk, chains.count)].map(action))
          }
        }
      }
    }
  }

  private static func used(_ shared: Set<String>, in table: SavedRules.SavedTable, _ isUnwanted: (String, String) -> Bool) -> Set<String> {
    if shared.isEmpty { return [] }
    var used: Set<String> = []
    for rule in table.rules where !isUnwanted(table.name, rule.chain) {
      if let target = Rule.target(of: rule.text) { used.insert(String(target)) }
    }
    return shared.intersection(used)
  }

  private mutating func add(_ table: String, _ lines: [String]) {
    if !lines.isEmpty { loads.append(RestoreInput(lines: ["*\(table)"] + lines + ["COMMIT"])) }
  }
}
