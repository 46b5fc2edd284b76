import Glibc
import PluginKit

/// Finds and removes what any version of this backend ever left: its two tables.
package enum Cleanup {
  package static func removeTables(_ connection: NetlinkConnection, _ removed: (String) -> Void) throws(BackendFault) {
    for family in Family.allCases where try Readback(connection).isPresent(family) {
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
      let table = try Readback(connection).table(family)
      if !table.isPresent { continue }
      let counts = MapKind.allCases.map { "\($0.name) \(table.elementCounts[$0] ?? 0)" }
      owned("\(name(family)): \(counts.joined(separator: ", "))")
    }
  }

  private static func name(_ family: Family) -> String { "table \(family.name) \(Layout.table)" }
}
