/// One change to one chain.
package struct Edit: Equatable, Sendable {
  package enum Action: Equatable, Sendable {
    /// The chain, made if it is not there, has these rules and no others.
    case replace([RuleText])
    /// Rules that have no order come and go.
    case amend(isNew: Bool, add: [RuleText], delete: [RuleText])
    /// The same where many go: each -D makes the tool look for its rule from the top, so all are written anew.
    case rewrite(add: [RuleText], all: [RuleText])
    /// Nothing leads to it any more.
    case remove
    /// Rules of the kernel's own chain: all of ours that are there, and those to put at its top.
    case jumps(delete: [RuleText], insert: [RuleText])
  }

  package var chain: ChainID
  package var action: Action

  package init(_ chain: ChainID, _ action: Action) {
    self.chain = chain
    self.action = action
  }

  package var weight: Int {
    switch action {
    case .replace(let rules): 1 + rules.count
    case .amend(_, let add, let delete): 1 + add.count + delete.count
    case .rewrite(let add, let all): 1 + add.count + all.count
    case .remove: 2
    case .jumps(let delete, let insert): delete.count + insert.count
    }
  }
}

/// Input of iptables-restore, line by line so that an error can be told by the line it is about.
package struct RestoreInput: Equatable, Sendable {
  package private(set) var lines: [String] = []

  package init(lines: [String]) { self.lines = lines }

  /// The tables commit one after the other, each at once. A connection that nat sends to an endpoint never meets the filter
  /// table's refusals, so refusals come before what makes them necessary and go after it: no packet sees a hole.
  package init(_ edits: [Edit]) {
    let sorted = edits.sorted { $0.chain < $1.chain }
    let nat = sorted.filter { $0.chain.table == .nat }
    let filter = sorted.filter { $0.chain.table == .filter }
    if nat.isEmpty {
      append(.filter, filter)
      return
    }
    append(.filter, filter.compactMap(\.arriving))
    append(.nat, nat)
    append(.filter, filter.compactMap(\.leaving))
  }

  package var isEmpty: Bool { lines.isEmpty }
  package var text: String { lines.isEmpty ? "" : lines.joined(separator: "\n") + "\n" }

  private mutating func append(_ table: Table, _ edits: [Edit]) {
    if edits.isEmpty { return }
    lines.append("*\(table.rawValue)")
    // A line with a chain that exists empties it, which also takes its references to chains that go.
    for edit in edits where edit.declares { lines.append(":\(edit.chain.name) - [0:0]") }
    for edit in edits where !edit.isJumps { appendRules(edit) }
    for edit in edits where edit.isJumps { appendRules(edit) }
    for edit in edits where edit.action == .remove { lines.append("-X \(edit.chain.name)") }
    lines.append("COMMIT")
  }

  private mutating func appendRules(_ edit: Edit) {
    let name = edit.chain.name
    switch edit.action {
    case .replace(let rules), .rewrite(_, let rules): lines += rules.map { "-A \(name) \($0)" }
    case .amend(_, let add, let delete): lines += add.map { "-A \(name) \($0)" } + delete.map { "-D \(name) \($0)" }
    case .remove: break
    case .jumps(let delete, let insert):
      lines += delete.map { "-D \(name) \($0)" }
      lines += insert.enumerated().map { "-I \(name) \($0.offset + 1) \($0.element)" }
    }
  }
}

extension Edit {
  fileprivate var isJumps: Bool {
    if case .jumps = action { true } else { false }
  }

  fileprivate var declares: Bool {
    switch action {
    case .replace, .rewrite, .remove: true
    case .amend(let isNew, _, _): isNew
    case .jumps: false
    }
  }

  /// The part that only adds.
  var arriving: Edit? {
    switch action {
    case .replace: self
    case .amend(let isNew, let add, _): add.isEmpty && !isNew ? nil : Edit(chain, .amend(isNew: isNew, add: add, delete: []))
    case .rewrite(let add, _): add.isEmpty ? nil : Edit(chain, .amend(isNew: false, add: add, delete: []))
    case .remove, .jumps: nil
    }
  }

  /// The other part, which only takes away.
  var leaving: Edit? {
    switch action {
    case .replace: nil
    case .amend(_, _, let delete): delete.isEmpty ? nil : Edit(chain, .amend(isNew: false, add: [], delete: delete))
    case .rewrite(_, let all): Edit(chain, .replace(all))
    case .remove, .jumps: self
    }
  }
}
