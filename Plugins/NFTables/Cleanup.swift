import Glibc
import PluginKit

/// Finds and removes what any version of this backend ever left: its two tables.
package enum Cleanup {
  package static func removeTables(_ connection: NetlinkConnection, _ removed: (String) -> Void) throws(BackendFault) {
    for family in Family.allCases where try isPresent(connection, family) {
      let messages: [Message] = [.deleteTable(family)]
      switch connection.exchange(messages, layouts: [:]) {
      case .committed: removed(name(family))
      case .refused(let refusals):
        // Somebody was faster.
        if refusals.allSatisfy({ $0.errno == ENOENT }) { continue }
        throw Failure.fault(refusals, messages)
      case .unknown(let fault): throw Failure.fault("delete \(name(family))", fault)
      }
    }
  }

  package static func list(_ connection: NetlinkConnection, _ owned: (String) -> Void) throws(BackendFault) {
    for family in Family.allCases {
      guard try isPresent(connection, family) else { continue }
      let table = try Readback(connection).table(family)
      let counts = MapKind.allCases.filter { !$0.isDynamic }.map { "\($0.name) \(table.elementCounts[$0] ?? 0)" }
      owned("\(name(family)): \(counts.joined(separator: ", "))")
    }
  }

  /// A kernel without nf_tables has no table of ours.
  private static func isPresent(_ connection: NetlinkConnection, _ family: Family) throws(BackendFault) -> Bool {
    do throws(BackendFault) {
      return try Readback(connection).isPresent(family)
    } catch {
      if Support.isMissing(error) { return false }
      throw error
    }
  }

  private static func name(_ family: Family) -> String { "table \(family.name) \(Layout.table)" }
}
