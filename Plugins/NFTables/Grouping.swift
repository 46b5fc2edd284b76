import PluginKit

/// Sorts the changes of a batch into groups that must go into one transaction, and finds those that cannot go at all.
///
/// A front end that leaves one service port and appears at another has to change hands in one step; all other changes stand
/// alone, so that one the kernel refuses takes no other with it.
package struct Grouping {
  /// Those that can go, the members of a group one after the other.
  package private(set) var changes: [Change]
  /// Places in `changes`.
  package private(set) var groups: [Range<Int>] = []
  package private(set) var conflicts: [(change: Change, fault: BackendFault)] = []

  package init(_ changes: [Change], _ tables: Tables) {
    self.changes = changes
    var excluded: Set<Int> = []
    var merging = Merging()
    while true {
      merging = Merging()
      let found = Self.conflicts(changes, tables, excluded, &merging)
      if found.isEmpty { break }
      // A change that fails releases nothing, which may be what another one counted on.
      for (index, fault) in found {
        excluded.insert(index)
        if let change = changes[safe: index] { conflicts.append((change, fault)) }
      }
    }
    if excluded.isEmpty, merging.isEmpty {
      groups = changes.indices.map { $0..<$0 + 1 }
      return
    }
    self.changes = []
    for group in merging.groups(count: changes.count) {
      let begin = self.changes.count
      for index in group where !excluded.contains(index) {
        if let change = changes[safe: index] { self.changes.append(change) }
      }
      if self.changes.count > begin { groups.append(begin..<self.changes.count) }
    }
  }

  private struct Place: Hashable {
    var family: Family
    var key: FrontendKey

    // Hardly ever is one address of one family and another of the other, and so the key is enough.
    func hash(into hasher: inout Hasher) { key.hash(into: &hasher) }
  }

  private static func conflicts(
    _ changes: [Change], _ tables: Tables, _ excluded: Set<Int>, _ merging: inout Merging
  ) -> [(Int, BackendFault)] {
    // Front ends that change hands are few; who gives them up is looked for once there is one.
    var released: [Place: Int]?
    var claimed: [Place: Int] = [:]
    if changes.count > 1 { claimed.reserveCapacity(changes.count) }
    var conflicts: [Int: BackendFault] = [:]
    for (index, change) in changes.enumerated() {
      guard case .upsert(let port) = change, !excluded.contains(index) else { continue }
      let table = tables[port.family]
      for (key, _) in port.frontends {
        let place = Place(family: port.family, key: key)
        let holder = table.owner(of: key)
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
        if released == nil { released = self.released(changes, tables, excluded) }
        if let releasing = released?[place] {
          merging.union(index, releasing)
        } else {
          conflicts[index] = fault(port.key, key, port.family, heldBy: holder)
          break
        }
      }
    }
    return conflicts.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
  }

  private static func released(_ changes: [Change], _ tables: Tables, _ excluded: Set<Int>) -> [Place: Int] {
    var released: [Place: Int] = [:]
    for (index, change) in changes.enumerated() where !excluded.contains(index) {
      guard let key = change.serviceKey, let record = tables[change.family].services[key] else { continue }
      for frontend in record.frontends { released[Place(family: change.family, key: frontend.key)] = index }
    }
    return released
  }

  private static func fault(_ service: ServiceKey, _ key: FrontendKey, _ family: Family, heldBy other: ServiceKey) -> BackendFault {
    BackendFault(.invalid, "\(service): front end \(key.text(family)) is held by \(other)")
  }
}

/// Disjoint sets of indices; whatever was in no union is alone.
private struct Merging {
  private var parents: [Int: Int] = [:]

  var isEmpty: Bool { parents.isEmpty }

  mutating func union(_ one: Int, _ other: Int) {
    let (low, high) = (min(root(one), root(other)), max(root(one), root(other)))
    if low != high { parents[high] = low }
  }

  private func root(_ index: Int) -> Int {
    var index = index
    while let parent = parents[index] { index = parent }
    return index
  }

  /// In the order of their first members.
  func groups(count: Int) -> [[Int]] {
    var places: [Int: Int] = [:]
    var groups: [[Int]] = []
    for index in 0..<count {
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
