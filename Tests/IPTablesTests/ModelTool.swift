import IPTables

/// The iptables tools played by the test: restores change a model of the tables, saves print it. Commits table by table, as the
/// tools do, and minds what they mind: chains that are not there, rules that are not there, chains that are still in use.
final class ModelTool: ToolRunner {
  enum Deed {
    /// Does nothing and fails with these words.
    case fail(status: Int32, errors: String)
    /// Commits the first table and is killed for taking too long.
    case hangAfterFirstTable
    case hang
    case missing
    /// The next save is cut off.
    case truncate
  }

  /// By tool prefix and variant ("iptables-nft"): table, chain, rules.
  var tables: [String: [String: [String: [String]]]] = [:]
  /// For the next restores, in order; saves only heed `truncate`.
  var deeds: [Deed] = []
  /// Restores that contain this fail, saying so about its line.
  var poison: String?
  var installed: Set<String> = Set(
    ["iptables", "ip6tables"].flatMap { family in ["nft", "legacy"].flatMap { ["\(family)-\($0)-restore", "\(family)-\($0)-save"] } })
  private(set) var restores: [ToolCall] = []
  private(set) var saves = 0

  func isPresent(_ tool: String) -> Bool { installed.contains(tool) }
  let lockFile = "/run/xtables.lock"
  func takeChildren() -> Set<Int32> { [] }
  func endTools(exceptBusy: Bool) {}

  func run(_ call: ToolCall) -> ToolOutcome {
    guard isPresent(call.tool) else { return .missing }
    let place = call.tool.split(separator: "-").dropLast().joined(separator: "-")
    if call.tool.hasSuffix("-save") { return save(place) }
    if call.arguments.contains("--test") { return .exited(status: 0, output: "", errors: "") }
    restores.append(call)
    var limit = Int.max
    if !deeds.isEmpty {
      switch deeds.removeFirst() {
      case .fail(let status, let errors): return .exited(status: status, output: "", errors: errors)
      case .hang: return .hung(seconds: 60)
      case .missing: return .missing
      case .hangAfterFirstTable: limit = 1
      case .truncate: break
      }
    }
    let outcome = restore(place, call.input, limit)
    return limit == 1 ? .hung(seconds: 60) : outcome
  }

  private func save(_ place: String) -> ToolOutcome {
    saves += 1
    var output = "# Generated\n"
    for (table, chains) in (tables[place] ?? [:]).sorted(by: { $0.key < $1.key }) {
      output += "*\(table)\n"
      for name in chains.keys.sorted() { output += ":\(name) \(Self.isBuiltin(name) ? "ACCEPT" : "-") [0:0]\n" }
      for (name, rules) in chains.sorted(by: { $0.key < $1.key }) {
        for rule in rules { output += "-A \(name) \(rule)\n" }
      }
      output += "COMMIT\n"
    }
    if case .truncate = deeds.first {
      deeds.removeFirst()
      output = String(output.dropLast(8))
    }
    return .exited(status: 0, output: output, errors: "# Warning: iptables-legacy tables present, use iptables-legacy-save to see them\n")
  }

  static func isBuiltin(_ name: String) -> Bool { ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"].contains(name) }

  private func restore(_ place: String, _ input: String, _ limit: Int) -> ToolOutcome {
    var table = ""
    var chains: [String: [String]] = [:]
    var committed = 0
    for (number, line) in input.split(separator: "\n", omittingEmptySubsequences: false).enumerated() where !line.isEmpty {
      func failure(_ words: String) -> ToolOutcome {
        .exited(status: 1, output: "", errors: "iptables-restore: line \(number + 1) failed: \(words)\n")
      }
      if let poison, line.contains(poison) { return failure("Invalid argument.") }
      let words = line.split(separator: " ", maxSplits: 2).map(String.init)
      switch words[0] {
      case "COMMIT":
        if let loose = Self.looseTarget(chains) { return failure("RULE_APPEND failed: \(loose)") }
        tables[place, default: [:]][table] = chains
        committed += 1
        if committed == limit { return .hung(seconds: 60) }
      case "-A":
        guard chains[words[1]] != nil else { return failure("No chain/target/match by that name.") }
        chains[words[1]]?.append(words[2])
      case "-D":
        guard let at = chains[words[1]]?.firstIndex(of: words[2]) else {
          return failure("Bad rule (does a matching rule exist in that chain?).")
        }
        chains[words[1]]?.remove(at: at)
      case "-I":
        let parts = words[2].split(separator: " ", maxSplits: 1).map(String.init)
        guard let at = Int(parts[0]), at <= (chains[words[1]]?.count ?? 0) + 1 else { return failure("Index of insertion too big.") }
        chains[words[1], default: []].insert(parts[1], at: at - 1)
      case "-X":
        guard chains[words[1]]?.isEmpty == true else { return failure("Directory not empty.") }
        guard !chains.values.joined().contains(where: { Rule.target(of: $0).map(String.init) == words[1] }) else {
          return failure("Too many links.")
        }
        chains[words[1]] = nil
      default:
        if words[0].hasPrefix("*") {
          table = String(words[0].dropFirst())
          let builtin = table == "nat" ? ["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"] : ["INPUT", "FORWARD", "OUTPUT"]
          chains = tables[place]?[table] ?? Dictionary(uniqueKeysWithValues: builtin.map { ($0, []) })
        } else if words[0].hasPrefix(":") {
          chains[String(words[0].dropFirst())] = []
        } else {
          return failure("unknown line")
        }
      }
    }
    return .exited(status: 0, output: "", errors: "")
  }

  /// A rule that leads to a chain that is not there.
  private static func looseTarget(_ chains: [String: [String]]) -> String? {
    let verdicts: Set<String> = ["ACCEPT", "DROP", "RETURN", "REJECT", "DNAT", "MARK", "MASQUERADE"]
    return chains.values.joined().first { rule in
      guard let target = Rule.target(of: rule).map(String.init) else { return false }
      return !verdicts.contains(target) && chains[target] == nil
    }
  }

  /// Contents to compare: rules of shared chains in no order.
  func contents(_ variant: Variant) -> [String: [String]] {
    var contents: [String: [String]] = [:]
    for (place, tables) in tables where place.hasSuffix(variant.rawValue) {
      for (table, chains) in tables {
        for (name, rules) in chains {
          let isShared = Layout.shared.contains { $0.name == name } || ChainName.isBucket(name)
          contents["\(place) \(table) \(name)"] = isShared ? rules.sorted() : rules
        }
      }
    }
    return contents
  }
}
