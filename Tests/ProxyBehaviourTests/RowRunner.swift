import PluginKit
import ProxyTesting
import Synchronization
import Testing

/// Loads all rows of a configuration side by side and tries them, many at a time, since most of the time of silence is waiting.
enum RowRunner {
  private static let threads = 24
  /// The chance that one of n endpoints is never chosen in n · (ln n + 21) connections is below 10⁻⁹.
  private static func attempts(_ endpoints: Int) -> Int { endpoints * 26 + 8 }
  /// As many at least, so that an endpoint that should not answer shows.
  private static let leastAttempts = isVirtualMachineRing ? 3 : 8

  static func rowsHold(_ table: RowTable) throws {
    let (backend, configuration) = (table.backend, table.configuration)
    // A backend may refuse a configuration as a whole; `Unsupported` holds the reason against the snapshot.
    if try Unsupported.reason(backend, configuration) != nil { return }
    let rows = sample(Row.all.filter { $0.configuration == configuration }, of: backend)
    #expect(!rows.isEmpty)
    try Proxy.on(backend, configuration) { topology, proxy in
      let failures = try proxy.sync(.full(rows.flatMap(\.services)))
      let problems = try problems(rows, topology)
      for (row, problem) in zip(rows, problems) {
        let refusal = row.services.compactMap { failures[$0.key] }.first.map { "not programmed: \($0)" }
        switch (refusal ?? problem, Unsupported.reason(backend, row)) {
        case (let problem?, nil): Issue.record("\(backend.rawValue): \(row): \(problem)")
        case (nil, let reason?): Issue.record("\(backend.rawValue): \(row): works, though said not to: \(reason)")
        default: break
        }
      }
    }
  }

  /// In the virtual machine, where all of them take minutes, a backend that has its home elsewhere shows with each fifth row that
  /// the other kernel does as well.
  private static func sample(_ rows: [Row], of backend: BackendUnderTest) -> [Row] {
    guard isVirtualMachineRing, backend != .ipvs else { return rows }
    return rows.enumerated().filter { $0.offset % 5 == 0 }.map(\.element)
  }

  private static func problems(_ rows: [Row], _ topology: Topology) throws -> [String?] {
    let results = Mutex([String?](repeating: nil, count: rows.count))
    // A raw socket hears what other sockets of its kind are told, so associations come one after the other.
    let (associations, rest) = (
      rows.indices.filter { rows[$0].proto == Sockets.sctp }, rows.indices.filter { rows[$0].proto != Sockets.sctp }
    )
    let queue = Mutex(rest[...])
    @Sendable func attempt(_ index: Int) throws {
      let problem = try problem(rows[index], topology)
      results.withLock { $0[index] = problem }
    }
    let workers = try (0..<threads).map { _ in
      try Background<Void> { while let index = queue.withLock({ $0.popFirst() }) { try attempt(index) } }
    }
    for index in associations { try attempt(index) }
    for worker in workers { try worker.join() }
    return results.withLock { $0 }
  }

  /// nil: the row holds.
  private static func problem(_ row: Row, _ topology: Topology) throws -> String? {
    let source = row.from.source(.of(row.family))
    return try topology.namespace(row.from).run {
      func knock(_ patience: Int) -> Knock { Knock.once(row.proto, row.to.address, row.to.port, from: source, patience: patience) }
      switch row.expectation {
      case .refused:
        let knock = knock(Knock.longPatience)
        return knock == .refused ? nil : "should be refused: \(knock)"
      case .dropped:
        let knock = knock(Knock.shortPatience)
        return knock == .silent ? nil : "should be dropped: \(knock)"
      case .nobody:
        let knock = knock(Knock.shortPatience)
        return knock.server == nil ? nil : "should reach nobody: \(knock)"
      case .answers(let labels, let seen):
        return answers(row, labels, seen) { knock(Knock.longPatience) }
      }
    }
  }

  private static func answers(_ row: Row, _ labels: Set<String>, _ seen: Row.Seen, _ knock: () -> Knock) -> String? {
    var found: Set<String> = []
    for attempt in 1...attempts(labels.count) {
      let knock = knock()
      guard case .answered(let label, let client) = knock, labels.contains(label) else {
        return "should reach \(labels.sorted().joined(separator: ", ")), attempt \(attempt): \(knock)"
      }
      if let problem = problem(row, label, client, seen) { return problem }
      found.insert(label)
      if found == labels && attempt >= leastAttempts { return nil }
    }
    return "never reached \(labels.subtracting(found).sorted().joined(separator: ", "))"
  }

  private static func problem(_ row: Row, _ label: String, _ client: String, _ seen: Row.Seen) -> String? {
    let plan = Plan.of(row.family)
    let isItself = (row.from == .podA && label.hasPrefix("A")) || (row.from == .podB && label.hasPrefix("B"))
    let isMasqueraded =
      switch seen {
      case .own: false
      case .node: true
      case .ownUnlessItself: isItself
      }
    if isMasqueraded {
      return plan.nodeAddresses.contains(client) ? nil : "\(label) should see an address of the node, saw \(client)"
    }
    let own = row.from.address(plan)
    return client == own ? nil : "\(label) should see the client's \(own), saw \(client)"
  }
}
