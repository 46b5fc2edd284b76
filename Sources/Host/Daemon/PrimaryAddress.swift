import KubeModel

/// Which of a node's addresses is the primary one of its family. A function of values.
package enum PrimaryAddress {
  /// IPv4 first; of each family the one that connections to elsewhere come from, then the others as they were found.
  /// - Parameter sources: of the default routes. What is not among those found is not the node's to offer.
  package static func ordered(_ found: [IPAddress], sources: [IPAddress]) -> [IPAddress] {
    IPFamily.allCases.flatMap { family in
      let own = found.filter { $0.family == family }
      return own.filter(sources.contains) + own.filter { !sources.contains($0) }
    }
  }

  /// The primary one of a family, of a list in that order.
  package static func of(_ family: IPFamily, in addresses: [IPAddress]) -> IPAddress? { addresses.first { $0.family == family } }
}
