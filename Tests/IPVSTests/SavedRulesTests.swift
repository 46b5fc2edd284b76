import IPVS
import PluginKit
import Testing

/// What is written depends on what stands.
struct SavedRulesTests {
  private let rules: Rules

  init() throws { rules = Rules(.ipv4, try Fixtures.settings()) }

  private func saved(_ rules: Rules, jumps: Bool = true, others: String = "") -> String {
    Rules.tables.map { table in
      let chains = rules.chains.filter { $0.table == table }
      let builtIn = Set(chains.flatMap(\.parents)).sorted().map { ":\($0) ACCEPT [0:0]" }
      let own = chains.map { ":\($0.name) - [0:0]" }
      let jumps = jumps ? chains.flatMap { chain in chain.parents.map { "-A \($0) \(chain.jump)" } } : []
      let lines = chains.flatMap { chain in chain.rules.map { "-A \(chain.name) \($0)" } }
      return (["# made by iptables-save", "*\(table)"] + builtIn + own + jumps + [others] + lines + ["COMMIT"]).joined(separator: "\n")
    }.joined(separator: "\n")
  }

  @Test func whatStandsIsNotWritten() {
    #expect(SavedRules(saved(rules, others: "-A INPUT -j ACCEPT")).repair(rules) == nil)
  }

  @Test func onAnEmptyMachineEverythingIsWritten() {
    let text = SavedRules("").repair(rules) ?? ""
    for chain in rules.chains {
      #expect(text.contains(":\(chain.name) - [0:0]\n"))
      for rule in chain.rules { #expect(text.contains("-A \(chain.name) \(rule)\n")) }
      for parent in chain.parents { #expect(text.contains("-I \(parent) 1 \(chain.jump)\n")) }
    }
    #expect(!text.contains("-D "))
  }

  @Test func onlyWhatDiffersIsWritten() {
    let text = saved(rules).split(separator: "\n").filter { !$0.contains("ctstate INVALID") }.joined(separator: "\n")
    let repair = SavedRules(text).repair(rules) ?? ""
    #expect(repair.hasPrefix("*filter\n:SWIFTLET-IPVS-FORWARD - [0:0]\n"))
    #expect(repair.contains("--ctstate INVALID -j DROP"))
    #expect(!repair.contains("*nat") && !repair.contains("SWIFTLET-IPVS-INPUT") && !repair.contains("-I "))
  }

  @Test func aJumpThatIsMissingTwiceThereOrOldIsMadeAnew() {
    let missing = SavedRules(saved(rules, jumps: false)).repair(rules) ?? ""
    #expect(missing.contains("-I INPUT 1 -m comment --comment \"swiftlet services\" -j SWIFTLET-IPVS-INPUT\n"))
    let twice = SavedRules(saved(rules) + "\n*filter\n-A INPUT -p tcp -j SWIFTLET-IPVS-INPUT\nCOMMIT").repair(rules) ?? ""
    #expect(twice.contains("-D INPUT -p tcp -j SWIFTLET-IPVS-INPUT\n"))
    #expect(twice.contains("-I INPUT 1 "))
    #expect(!twice.contains("*nat"))
  }

  @Test func removalTakesChainsAndJumpsAndNothingElse() {
    let text = SavedRules(saved(rules, others: "-A INPUT -j ACCEPT")).removal { $1.hasPrefix(Rules.prefix) } ?? ""
    for chain in rules.chains {
      #expect(text.contains(":\(chain.name) - [0:0]\n") && text.contains("-X \(chain.name)\n"))
      for parent in chain.parents { #expect(text.contains("-D \(parent) \(chain.jump)\n")) }
    }
    #expect(!text.contains("-j ACCEPT"))
    #expect(SavedRules("*filter\n:INPUT ACCEPT [0:0]\nCOMMIT").removal { $1.hasPrefix(Rules.prefix) } == nil)
  }

  @Test func theRulesThatAskASetAreCounted() {
    #expect(rules.references(to: .near) == 2)
    #expect(rules.references(to: .hairpin) == 1)
    #expect(rules.references(to: .frontends) == 5)
    #expect(rules.references(to: .services) == 6)
    #expect(rules.references(to: .pods) == 2)
  }
}
