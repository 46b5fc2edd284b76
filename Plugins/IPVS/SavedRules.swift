import PluginKit

/// What `iptables-save` printed: the rules of each chain of each table, in order.
package struct SavedRules: Equatable, Sendable {
  /// Table, chain, rules without "-A CHAIN ".
  package private(set) var tables: [String: [String: [String]]] = [:]

  package init(_ text: String) {
    var table = ""
    for line in text.split(separator: "\n") {
      if line.hasPrefix("*") {
        table = String(line.dropFirst())
      } else if line.hasPrefix(":") {
        let name = line.dropFirst().prefix { $0 != " " }
        tables[table, default: [:]][String(name), default: []] += []
      } else if line.hasPrefix("-A ") {
        let parts = line.dropFirst(3).split(separator: " ", maxSplits: 1)
        guard let chain = parts.first else { continue }
        tables[table, default: [:]][String(chain), default: []].append(parts.count == 2 ? parts.last.map(String.init) ?? "" : "")
      }
    }
  }

  /// Chains of any version of ours, by table.
  package func chains(_ table: String, where isMeant: (String) -> Bool) -> [String] {
    tables[table, default: [:]].keys.filter(isMeant).sorted()
  }

  /// What `iptables-restore --noflush` has to read to make the rules stand; nil: they do.
  package func repair(_ rules: Rules) -> String? {
    var text = ""
    for table in Rules.tables {
      let wanted = rules.chains.filter { $0.table == table }
      let present = tables[table] ?? [:]
      var lines: [String] = []
      for chain in wanted where present[chain.name] != chain.rules {
        lines.append(":\(chain.name) - [0:0]")
        lines += chain.rules.map { "-A \(chain.name) \($0)" }
      }
      for chain in wanted {
        for parent in chain.parents {
          let jumps = present[parent]?.filter { Self.target(of: $0) == chain.name } ?? []
          if jumps == [chain.jump] { continue }
          lines += jumps.map { "-D \(parent) \($0)" } + ["-I \(parent) 1 \(chain.jump)"]
        }
      }
      if !lines.isEmpty { text += "*\(table)\n\(lines.joined(separator: "\n"))\nCOMMIT\n" }
    }
    return text.isEmpty ? nil : text
  }

  /// What `iptables-restore --noflush` has to read to remove these chains and all jumps to them; nil: there are none.
  package func removal(where isMeant: (_ table: String, _ chain: String) -> Bool) -> String? {
    var text = ""
    for (table, chains) in tables.sorted(by: { $0.key < $1.key }) {
      let gone = chains.keys.filter { isMeant(table, $0) }.sorted()
      if gone.isEmpty { continue }
      var lines = gone.map { ":\($0) - [0:0]" }
      for (chain, rules) in chains.sorted(by: { $0.key < $1.key }) where !gone.contains(chain) {
        lines += rules.filter { rule in Self.target(of: rule).map(gone.contains) == true }.map { "-D \(chain) \($0)" }
      }
      lines += gone.map { "-X \($0)" }
      text += "*\(table)\n\(lines.joined(separator: "\n"))\nCOMMIT\n"
    }
    return text.isEmpty ? nil : text
  }

  /// The chain a rule jumps or goes to.
  private static func target(of rule: String) -> String? {
    let words = rule.split(separator: " ")
    for flag in ["-j", "-g"] {
      if let place = words.lastIndex(of: Substring(flag)), words.indices.contains(place + 1) { return String(words[place + 1]) }
    }
    return nil
  }
}

/// The tools of one family.
package enum IPTables {
  package static func save(_ family: Family) throws(BackendFault) -> SavedRules {
    SavedRules(try Tool.run([family == .ipv4 ? "iptables-save" : "ip6tables-save"]))
  }

  package static func restore(_ family: Family, _ text: String) throws(BackendFault) {
    _ = try Tool.run([family == .ipv4 ? "iptables-restore" : "ip6tables-restore", "--noflush", "-w", "10"], input: text)
  }
}
