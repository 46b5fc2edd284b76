/// A chain with its rules.
package struct Chain: Equatable, Sendable {
  /// Where a base chain sits.
  package enum Hook: Sendable, CaseIterable {
    case prerouting, output, postrouting
    /// Not nat but filter.
    case forward

    /// NF_INET_…
    package var number: UInt32 {
      switch self {
      case .prerouting: 0
      case .forward: 2
      case .output: 3
      case .postrouting: 4
      }
    }

    package var type: String { self == .forward ? "filter" : "nat" }

    /// NF_IP_PRI_NAT_DST, NF_IP_PRI_NAT_SRC and NF_IP_PRI_FILTER, as everybody's.
    package var priority: Int32 {
      switch self {
      case .prerouting, .output: -100
      case .forward: 0
      case .postrouting: 100
      }
    }

    /// As nft lists it.
    package var definition: String {
      let name =
        switch self {
        case .prerouting: "dstnat"
        case .output: "-100"
        case .postrouting: "srcnat"
        case .forward: "filter"
        }
      return "type \(type) hook \(self) priority \(name); policy accept;"
    }
  }

  package let name: String
  package let hook: Hook?
  package let rules: [Rule]

  package init(name: String, hook: Hook? = nil, rules: [Rule]) {
    self.name = name
    self.hook = hook
    self.rules = rules
  }
}
