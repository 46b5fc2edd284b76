import PluginKit

extension NFTablesBackend: InspectableProxy {
  package func explain(_ name: String, line: (String) -> Void) throws(BackendFault) {
    let key = ServiceKey(name)
    guard let programmer else { throw BackendFault(.invalid, "explain before start") }
    var isFound = false
    for table in programmer.tables.all {
      guard let record = table.services[key] else { continue }
      isFound = true
      for text in try Explanation(table, programmer.connection).lines(record) { line(text) }
    }
    if !isFound { throw BackendFault(.notFound, "explain: no service port \(key)") }
  }

  package func counters(_ name: String, emit: (String, ProxyCounters) -> Void) throws(BackendFault) {
    let key = ServiceKey(name)
    guard let programmer else { throw BackendFault(.invalid, "counters before start") }
    var isFound = name.isEmpty
    for table in programmer.tables.all {
      let keys = name.isEmpty ? table.services.keys.sorted() : table.services[key] == nil ? [] : [key]
      if keys.isEmpty { continue }
      isFound = true
      let frontends = name.isEmpty ? nil : table.services[key]?.frontendKeys
      let counts = try CounterReader(programmer.connection, table.family).counts(of: frontends, table.frontends)
      for key in keys {
        var sum = FrontendCounts()
        for frontend in table.services[key]?.frontendKeys ?? [] {
          sum = sum + (counts[frontend] ?? FrontendCounts()) + (table.carried[frontend] ?? FrontendCounts())
        }
        // Packets and bytes of a connection pass the maps once only; what follows is conntrack's.
        emit(key.text, ProxyCounters(connections: sum.connections, noEndpoint: sum.noEndpoint, sourceRefused: sum.sourceRefused))
      }
    }
    if !isFound { throw BackendFault(.notFound, "counters: no service port \(key)") }
  }

  package func plan(_ batch: ProxyBatchView, line: (String) -> Void) throws(BackendFault) {
    let tables = Tables(settings)
    var notes: [String] = []
    let changes = Self.changes(batch, tables) { notes.append("# \($0.serviceKey ?? "a change") is not programmed: \($1.message)") }
    let grouping = Grouping(changes, tables)
    notes += grouping.conflicts.map { "# \($0.change.serviceKey ?? "a change") is not programmed: \($0.fault.message)" }
    for note in notes { line(note) }
    for table in tables.all {
      var delta = table.delta(for: grouping.changes)
      table.commit(grouping.changes, &delta)
      for text in Plan.lines(table) { line(text) }
    }
  }
}

extension NFTablesBackend: TakeoverProxy {
  package func listForeign(_ found: (String) -> Void) throws(BackendFault) { try Takeover.list(try connect(), found) }
  package func removeForeign(removed: (String) -> Void) throws(BackendFault) { try Takeover.remove(try connect(), removed) }
}
