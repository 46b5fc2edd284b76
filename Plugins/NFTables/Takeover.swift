import Glibc
import PluginKit

/// What kube-proxy leaves in its nftables mode: a table for each family, made by no one else.
package enum Takeover {
  package static let table = "kube-proxy"

  package static func list(_ connection: NetlinkConnection, _ found: (String) -> Void) throws(BackendFault) {
    for family in Family.allCases where try isPresent(connection, family) { found(name(family)) }
  }

  /// One request for each, whatever is in it.
  package static func remove(_ connection: NetlinkConnection, _ removed: (String) -> Void) throws(BackendFault) {
    for family in Family.allCases where try isPresent(connection, family) {
      let messages: [Message] = [.deleteTable(family, name: table)]
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

  private static func isPresent(_ connection: NetlinkConnection, _ family: Family) throws(BackendFault) -> Bool {
    do throws(BackendFault) {
      return try Readback(connection).isPresent(family, name: table)
    } catch {
      if Support.isMissing(error) { return false }
      throw error
    }
  }

  private static func name(_ family: Family) -> String { "table \(family.name) \(table)" }
}
