/// The tables this backend has chains in.
package enum Table: String, Sendable, CaseIterable, Hashable, Comparable {
  case filter, nat

  package static func < (left: Table, right: Table) -> Bool { left.rawValue < right.rawValue }
}

/// A chain of one family, ours or the kernel's own ("PREROUTING").
package struct ChainID: Hashable, Sendable, Comparable, CustomStringConvertible {
  package let table: Table
  package let name: String

  package init(_ table: Table, _ name: String) {
    self.table = table
    self.name = name
  }

  package static func < (left: ChainID, right: ChainID) -> Bool { (left.table, left.name) < (right.table, right.name) }

  package var description: String { "chain \(name) of table \(table.rawValue)" }
}

/// Rules are kept as text, in exactly the words iptables-save prints behind "-A CHAIN ": what is wanted and what is there compare
/// as strings, and an operator finds in iptables-save what `plan` printed.
package typealias RuleText = String

/// Names of chains; 28 characters at most (XT_EXTENSION_MAXNAMELEN with its NUL is 29).
package enum ChainName {
  package static let prefix = "SWIFTLET-"

  // One of each, the same for all Services.
  package static let services = "SWIFTLET-SERVICES"
  package static let addresses = "SWIFTLET-ADDRESSES"
  package static let nodePorts = "SWIFTLET-NODEPORTS"
  package static let mark = "SWIFTLET-MARK"
  package static let outside = "SWIFTLET-OUTSIDE"
  package static let postrouting = "SWIFTLET-POSTROUTING"
  package static let masquerade = "SWIFTLET-MASQUERADE"
  package static let hairpin = "SWIFTLET-HAIRPIN"
  package static let unserved = "SWIFTLET-UNSERVED"
  package static let forward = "SWIFTLET-FORWARD"
  package static let localnet = "SWIFTLET-LOCALNET"
  package static let health = "SWIFTLET-HEALTH"

  /// Front ends by the last six bits of their address: a packet for none of them walks tens of rules among thousands.
  package static let bucketCount: UInt64 = 64

  package static func bucket(_ number: UInt64) -> String { "SWIFTLET-IP-\(number < 10 ? "0" : "")\(number)" }
  package static func isBucket(_ name: String) -> Bool { name.hasPrefix("SWIFTLET-IP-") && name.utf8.count == 14 }

  // Of one service port; `digest` is that of its key.
  package static func endpoints(_ selection: Frontend.Selection, _ masquerade: Frontend.Masquerade, _ digest: String) -> String {
    "\(prefix)\(selection.rawValue)\(masquerade.rawValue)-\(digest)"
  }
  package static func near(_ masquerade: Frontend.Masquerade, _ digest: String) -> String { "\(prefix)N\(masquerade.rawValue)-\(digest)" }
  /// In front of another chain of the service port.
  package static func sourceRanges(before inner: String) -> String {
    "\(prefix)S\(inner.dropFirst(prefix.count))"
  }
  package static func unserved(_ answer: Frontend.Answer, _ digest: String) -> String { "\(prefix)S\(answer.rawValue)-\(digest)" }

  /// A chain only leads to chains of lower rank.
  package static func rank(_ name: String) -> Int {
    switch name {
    case mark, masquerade, forward, localnet, health: return 0
    case outside: return 1
    case nodePorts, hairpin: return 5
    case addresses: return 6
    case services, unserved, postrouting: return 7
    default: break
    }
    if isBucket(name) { return 5 }
    return switch name.dropFirst(prefix.count).first {
    case "C", "L": 2
    case "N": 3
    case "S": 4
    // Of another version; what leads to it is emptied with it.
    default: 8
    }
  }
}
