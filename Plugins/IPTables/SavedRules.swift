/// What iptables-save (or iptables-save -c) printed, of one variant and family.
package struct SavedRules: Equatable, Sendable {
  package struct SavedRule: Equatable, Sendable {
    package var chain: String
    package var text: RuleText
    /// Only with -c.
    package var packets: UInt64 = 0
    package var bytes: UInt64 = 0
  }

  package struct SavedTable: Equatable, Sendable {
    package var name: String
    package var chains: [String] = []
    /// Chains of the kernel, which have a policy.
    package var builtin: Set<String> = []
    package var rules: [SavedRule] = []

    package init(name: String) { self.name = name }
  }

  package private(set) var tables: [SavedTable] = []
  /// False when the output ends before its last COMMIT: the tool was cut off.
  package private(set) var isComplete = true

  package init(_ output: String = "") {
    var table: SavedTable?
    for line in output.utf8.split(separator: 0x0a) {
      switch line.first {
      case UInt8(ascii: "*"): table = SavedTable(name: String(Substring(line.dropFirst())))
      case UInt8(ascii: ":"): Self.readChain(line.dropFirst(), &table)
      case UInt8(ascii: "-"), UInt8(ascii: "["): Self.readRule(line, &table)
      case UInt8(ascii: "C"):
        if let complete = table { tables.append(complete) }
        table = nil
      default: continue
      }
    }
    isComplete = table == nil
  }

  private static func readChain(_ line: Substring.UTF8View.SubSequence, _ table: inout SavedTable?) {
    let words = line.split(separator: 0x20)
    guard let name = words.first.map({ String(Substring($0)) }) else { return }
    table?.chains.append(name)
    if words.dropFirst().first?.first != UInt8(ascii: "-") { table?.builtin.insert(name) }
  }

  private static func readRule(_ line: Substring.UTF8View.SubSequence, _ table: inout SavedTable?) {
    var rest = line
    var counts: [UInt64] = []
    if rest.first == UInt8(ascii: "["), let end = rest.firstIndex(of: UInt8(ascii: "]")) {
      counts = rest[..<end].dropFirst().split(separator: UInt8(ascii: ":")).map { UInt64(Substring($0)) ?? 0 }
      rest = rest[end...].dropFirst(2)
    }
    guard rest.starts(with: "-A ".utf8) else { return }
    rest = rest.dropFirst(3)
    let end = rest.firstIndex(of: 0x20) ?? rest.endIndex
    let rule = SavedRule(
      chain: String(Substring(rest[..<end])), text: String(Substring(rest[end...].dropFirst())), packets: counts.first ?? 0,
      bytes: counts.dropFirst().first ?? 0)
    table?.rules.append(rule)
  }

  package func table(_ name: String) -> SavedTable? { tables.first { $0.name == name } }

  /// For choosing a variant.
  package var ruleCount: Int { tables.reduce(0) { $0 + $1.rules.count } }

  package func contains(chain: String) -> Bool { tables.contains { $0.chains.contains(chain) } }
}

/// What the kernel holds of this backend, or is taken to hold, in one family.
package struct KernelRules: Equatable, Sendable {
  /// Our chains.
  package var chains: [ChainID: [RuleText]] = [:]
  /// Rules of other chains that lead to ours.
  package var jumps: [ChainID: [RuleText]] = [:]

  package init() {}

  package init(_ saved: SavedRules) {
    for table in Table.allCases {
      guard let content = saved.table(table.rawValue) else { continue }
      for name in content.chains where name.hasPrefix(ChainName.prefix) { chains[ChainID(table, name)] = [] }
      for rule in content.rules {
        let id = ChainID(table, rule.chain)
        if chains[id] != nil {
          chains[id]?.append(rule.text)
        } else if Rule.target(of: rule.text)?.hasPrefix(ChainName.prefix) == true {
          jumps[id, default: []].append(rule.text)
        }
      }
    }
  }

  package var isEmpty: Bool { chains.isEmpty && jumps.isEmpty }
}
