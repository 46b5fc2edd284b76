import PluginKit

/// The static rules of all families, as they stand in the kernel. Its calls are for the network namespace of the rules.
///
/// To see them takes two child processes, several times what the thousand virtual servers of a full load take. Where iptables
/// stands on nf_tables the ruleset's generation number tells whether anybody was at work since; the legacy tables have no such thing.
package final class StandingRules {
  private let wanted: [Rules]
  /// How many rules ask each set. Counted once: it is asked for several times a second.
  package let references: [SetPlace: Int]
  private let generation: () -> UInt32?
  private let save: (Family) throws(BackendFault) -> SavedRules
  private let restore: (Family, String) throws(BackendFault) -> Void
  /// When the rules were right; nil: not known.
  private var right: UInt32?

  package init(
    _ settings: Settings, _ families: [Family], generation: @escaping () -> UInt32?,
    save: @escaping (Family) throws(BackendFault) -> SavedRules = IPTables.save,
    restore: @escaping (Family, String) throws(BackendFault) -> Void = IPTables.restore
  ) {
    wanted = families.map { Rules($0, settings) }
    var references: [SetPlace: Int] = [:]
    for rules in wanted { for kind in SetKind.allCases { references[SetPlace(kind, rules.family)] = rules.references(to: kind) } }
    self.references = references
    self.generation = generation
    self.save = save
    self.restore = restore
  }

  /// Makes them stand.
  package func lay() throws(BackendFault) {
    let before = generation()
    if let before, before == right { return }
    right = nil
    var commits: UInt32 = 0
    var hasGenerations = true
    for rules in wanted {
      let saved = try save(rules.family)
      if let text = saved.repair(rules) {
        try restore(rules.family, text)
        commits += SavedRules.commits(in: text)
      } else if !saved.isOfNFTables {
        hasGenerations = false
      }
    }
    // Each commit is one transaction, so the number also tells that the tools, of which an empty table does not say it, use nf_tables.
    if hasGenerations, let before, let after = generation(), after == before &+ commits { right = after }
  }

  /// Families whose rules are not right.
  package func differing() throws(BackendFault) -> [Family] {
    let before = generation()
    if let before, before == right { return [] }
    right = nil
    var differing: [Family] = []
    var hasGenerations = true
    for rules in wanted {
      let saved = try save(rules.family)
      if saved.repair(rules) != nil { differing.append(rules.family) }
      hasGenerations = hasGenerations && saved.isOfNFTables
    }
    if hasGenerations, differing.isEmpty, let before, generation() == before { right = before }
    return differing
  }
}
