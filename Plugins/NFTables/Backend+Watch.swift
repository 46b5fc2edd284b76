import PluginKit

extension NFTablesBackend: WatchingProxy {
  /// Lines of one report; a table that is gone altogether is one line anyway.
  private static let lineLimit = 32

  package var watchDescriptor: Int32 { watch?.descriptor ?? -1 }

  package func examine(thorough: Bool, damage: (String) -> Void) throws(BackendFault) {
    guard let programmer else { throw BackendFault(.invalid, "examine before start") }
    let finding = try watch?.take() ?? Watch.Finding()
    var lines = finding.events
    // Between the batches of a load there is nothing to compare with: its end brings everything in order.
    if programmer.isLoaded, thorough || finding.isIncomplete {
      let readback = Readback(programmer.connection)
      for table in programmer.tables.all { lines += table.differences(from: try readback.table(table.family)) }
    } else if finding.isIncomplete {
      lines.append("notifications about changes of nf_tables were lost during a full load")
    }
    for line in lines.prefix(Self.lineLimit) { damage(line) }
    if lines.count > Self.lineLimit { damage("and \(lines.count - Self.lineLimit) more") }
  }
}
