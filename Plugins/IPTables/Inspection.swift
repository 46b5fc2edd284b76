import PluginKit

/// Answers of an operator's questions, from what iptables-save -c prints.
package enum Inspection {
  /// The rules that serve one service port, with their counts, below the names of their tables.
  package static func explain(_ key: String, _ saved: SavedRules) -> [String] {
    let suffix = "-" + Digest.name(key)
    let start = Rule.commentStart(ofKey: key)
    var lines: [String] = []
    for table in saved.tables {
      let rules = table.rules.filter { $0.chain.hasSuffix(suffix) || $0.text.contains(start) }
      if rules.isEmpty { continue }
      lines.append("*\(table.name)")
      lines += rules.map { "[\($0.packets):\($0.bytes)] -A \($0.chain) \($0.text)" }
    }
    return lines
  }

  /// The nat table sees the first packet of each connection, so packets are connections there; a client that repeats itself
  /// counts again where it is refused or dropped.
  package static func counters(_ keys: some Sequence<String>, _ saved: SavedRules) -> [(key: String, counters: ProxyCounters)] {
    let connections = sum(
      saved.table("nat"),
      by: { rule in
        rule.text.contains(" -j DNAT ") ? rule.chain.split(separator: "-").last.map(String.init) : nil
      })
    let noEndpoint = sum(saved.table("filter"), by: { Self.key(of: $0, ending: ": no endpoint\"") })
    let refused = sum(saved.table("filter"), by: { Self.key(of: $0, ending: ": source not allowed\"") })
    return keys.map { key in
      let start = Rule.commentStart(ofKey: key)
      let counters = ProxyCounters(
        connections: connections[Digest.name(key)] ?? 0, noEndpoint: noEndpoint[start] ?? 0, sourceRefused: refused[start] ?? 0)
      return (key, counters)
    }
  }

  private static func sum(_ table: SavedRules.SavedTable?, by name: (SavedRules.SavedRule) -> String?) -> [String: UInt64] {
    var sums: [String: UInt64] = [:]
    for rule in table?.rules ?? [] {
      if let name = name(rule) { sums[name, default: 0] &+= rule.packets }
    }
    return sums
  }

  /// The start of the comment, which stands for the key.
  private static func key(of rule: SavedRules.SavedRule, ending: String) -> String? {
    guard rule.chain.hasPrefix(ChainName.prefix) else { return nil }
    let words = rule.text
    guard let start = words.firstRange(of: "--comment \""), let end = words.firstRange(of: ending) else { return nil }
    return String(words[start.lowerBound..<end.lowerBound]) + ": "
  }

  /// The restore input that makes all of it on a node that has nothing.
  package static func plan(_ ports: [ServicePort], healthChecks: [UInt16] = [], _ layout: Layout) -> [String] {
    var state = FamilyState(layout)
    let staged = state.stage(ports.map { .upsert($0) } + [.healthChecks(healthChecks, layout.family)])
    let edits = state.edits(layout.fixed.keys + Layout.shared, removing: false).filter { !staged.touched.contains($0.chain) }
    return RestoreInput(edits + state.edits(staged, removing: false) + state.jumpEdits()).lines
  }
}
