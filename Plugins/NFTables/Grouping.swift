import PluginKit

/// Sorts the changes of a batch into groups that must go into one transaction, and finds those that cannot go at all.
///
/// A front end that leaves one service port and appears at another has to change hands in one step; all other changes stand
/// alone, so that one the kernel refuses takes no other with it.
package struct Grouping {
  package private(set) var groups: [[Change]] = []
  package private(set) var conflicts: [(change: Change, fault: BackendFault)] = []

  package init(_ changes: [Change], _ tables: [Family: TableState]) {
    var excluded: Set<Int> = []
    var merged = Merging(count: changes.count)
    while true {
      merged = Merging(count: changes.count)
      let found = Self.conflicts(changes, tables, excluded, &merged)
      if found.isEmpty { break }
      // A change that fails releases nothing, which may be what another one counted on.
      for (index, fault) in found {
        excluded.insert(index)
        if let change = changes[safe: index] { conflicts.append((change, fault)) }
      }
    }
    groups = merged.groups.map { $0.filter { !excluded.contains($0) }.compactMap { changes[safe: $0] } }.filter { !$0.isEmpty }
  }

  private struct Place: Hashable {
    var family: Family
    var key: FrontendKey
  }

  private static func conflicts(
    _ changes: [Change], _ tables: [Family: TableState], _ excluded: Set<Int>, _ merged: inout Merging
  ) -> [(Int, BackendFault)] {
    var released: [Place: Int] = [:]
    for (index, change) in changes.enumerated() where !excluded.contains(index) {
      guard let key = change.serviceKey, let record = tables[change.family]?.services[key] else { continue }
      for frontend in record.frontends { released[Place(family: change.family, key: frontend)] = index }
    }
    var claimed: [Place: Int] = [:]
    claimed.reserveCapacity(changes.count)
    var conflicts: [Int: BackendFault] = [:]
    for (index, change) in changes.enumerated() where !excluded.contains(index) {
      guard case .upsert(let port) = change, let table = tables[port.family] else { continue }
      for (key, _) in port.frontends {
        let place = Place(family: port.family, key: key)
        let holder = table.frontends[key]?.owner
        if let other = claimed.updateValue(index, forKey: place) {
          let rival = changes[safe: other]?.serviceKey ?? ""
          // Whoever holds it already keeps it, else the first one gets it.
          if holder == port.key {
            conflicts[other] = fault(rival, key, port.family, heldBy: port.key)
          } else {
            claimed[place] = other
            conflicts[index] = fault(port.key, key, port.family, heldBy: rival)
            break
          }
        }
        guard let holder, holder != port.key else { continue }
        if let releasing = released[place] {
          merged.union(index, releasing)
        } else {
          conflicts[index] = fault(port.key, key, port.family, heldBy: holder)
          break
        }
      }
    }
    return conflicts.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
  }

  private static func fault(_ service: String, _ key: FrontendKey, _ family: Family, heldBy other: String) -> BackendFault {
    BackendFault(.invalid, "\(service): front end \(key.text(family)) is held by \(other)")
  }
}

/// Disjoint sets of indices.
private struct Merging {
  private var parents: [Int]

  init(count: Int) { parents = Array(0..<count) }

  mutating func union(_ one: Int, _ other: Int) {
    let (low, high) = (min(root(one), root(other)), max(root(one), root(other)))
    if parents.indices.contains(high) { parents[high] = low }
  }

  private func root(_ index: Int) -> Int {
    var index = index
    while let parent = parents[safe: index], parent != index { index = parent }
    return index
  }

  /// In the order of their first members.
  var groups: [[Int]] {
    var places: [Int: Int] = [:]
    var groups: [[Int]] = []
    for index in parents.indices {
      let root = root(index)
      if let place = places[root], groups.indices.contains(place) {
        groups[place].append(index)
      } else {
        places[root] = groups.count
        groups.append([index])
      }
    }
    return groups
  }
}
