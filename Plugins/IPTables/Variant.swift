import PluginKit

/// The two kernel interfaces behind the name iptables. Rules of one are invisible to the tools of the other.
package enum Variant: String, Sendable, CaseIterable {
  case nft, legacy

  /// Service ports of one transaction: on the nft variant the kernel's work grows with the square of it, the legacy one
  /// exchanges the whole table whatever changed.
  package var chunk: Int { self == .nft ? 200 : 10_000 }

  /// Each run of a tool writes all of a table, so ten batches of a load would cost ten times as much as one.
  package var rewritesTables: Bool { self == .legacy }
}

/// The tools of one variant and family.
package struct Tools {
  /// Seconds the tools wait for the lock of the legacy variant.
  package static let lockPatience = 5

  package let variant: Variant
  package let family: Family
  private let runner: any ToolRunner

  package init(_ variant: Variant, _ family: Family, _ runner: any ToolRunner) {
    self.variant = variant
    self.family = family
    self.runner = runner
  }

  /// "iptables-nft-restore"; where the distribution has one variant only, under its plain name, "iptables-restore".
  private func tool(_ action: String) -> String {
    let name = "\(family.toolPrefix)-\(variant.rawValue)-\(action)"
    return runner.isPresent(name) ? name : "\(family.toolPrefix)-\(action)"
  }

  /// Whether a tool of this variant is there at all; a plain name says by --version which it is.
  package var arePresent: Bool {
    if runner.isPresent("\(family.toolPrefix)-\(variant.rawValue)-restore") { return true }
    let plain = "\(family.toolPrefix)-restore"
    guard runner.isPresent(plain), case .exited(0, let output, _, _) = runner.run(ToolCall(plain, ["--version"])) else { return false }
    return output.contains("nf_tables") == (variant == .nft)
  }

  package func save(counters: Bool = false) throws(ToolFailure) -> SavedRules {
    let call = ToolCall(tool("save"), counters ? ["-c"] : [])
    let outcome = runner.run(call)
    if let failure = ToolFailure(call, outcome) { throw failure }
    guard case .exited(_, let output, _, _) = outcome else { throw ToolFailure(.transient, "\(call.words): no output") }
    let saved = SavedRules(output)
    guard saved.isComplete else { throw ToolFailure(.transient, "\(call.words): its output ends in the middle of a table") }
    return saved
  }

  package func restore(_ input: RestoreInput, testing: Bool = false) throws(ToolFailure) {
    if input.isEmpty { return }
    let arguments = ["--noflush", "-w", "\(Self.lockPatience)"] + (testing ? ["--test"] : [])
    let call = ToolCall(tool("restore"), arguments, input: input.text, mayStay: !testing)
    if let failure = ToolFailure(call, runner.run(call), lines: input.lines) { throw failure }
  }
}
