/// One table's part of a transaction. A class, so that the lists of its delta, as long as those of all Services in a load, are in one
/// place and can be taken apart without a copy.
final class TableStep {
  let table: TableState
  var delta: TableDelta
  /// What elements counted that this step replaces.
  var counts: [FrontendKey: FrontendCounts] = [:]

  init(_ table: TableState, _ changes: some Collection<Change>) {
    self.table = table
    delta = table.delta(for: changes)
  }

  /// What has to be in the kernel before `messages`.
  var preparation: [Message] { table.isDeferred ? [] : delta.preparation(table.layout) }
  var messages: [Message] { table.isDeferred ? [] : delta.messages(table.layout) }

  /// The kernel has taken it.
  func commit(_ changes: some Collection<Change>) {
    // What is refused counts on.
    table.carry(counts)
    table.commit(changes, &delta)
  }
}
