import PluginKit

/// A batch in parts of bounded size, which bounds what one failure can touch and how long cancelling takes.
package enum Portions {
  /// Service ports that hand front ends on stay together, however many they are: apart one would be refused for what the other
  /// is about to leave.
  /// - Parameter holders: who holds the front ends of a service port now.
  package static func split(_ changes: [Change], size: Int, holders: (ServicePort) -> [String]) -> [[Change]] {
    guard changes.count > size else { return changes.isEmpty ? [] : [changes] }
    var portions: [[Change]] = []
    var portion: [Change] = []
    let neighbours = neighbours(changes, holders)
    if neighbours.isEmpty {
      return stride(from: 0, to: changes.count, by: size).map { Array(changes[$0..<min($0 + size, changes.count)]) }
    }
    for group in groups(changes, neighbours) {
      if !portion.isEmpty, portion.count + group.count > size {
        portions.append(portion)
        portion = []
      }
      portion += group
    }
    portions.append(portion)
    return portions
  }

  private static func neighbours(_ changes: [Change], _ holders: (ServicePort) -> [String]) -> [String: Set<String>] {
    var neighbours: [String: Set<String>] = [:]
    for case .upsert(let port) in changes {
      for holder in holders(port) where holder != port.key {
        neighbours[port.key, default: []].insert(holder)
        neighbours[holder, default: []].insert(port.key)
      }
    }
    return neighbours
  }

  /// In the order of the first of each.
  private static func groups(_ changes: [Change], _ neighbours: [String: Set<String>]) -> [[Change]] {
    var groupOf: [String: Int] = [:]
    var groups: [[Change]] = []
    for change in changes {
      if let group = groupOf[change.key], groups.indices.contains(group) {
        groups[group].append(change)
        continue
      }
      var open = [change.key]
      while let key = open.popLast() {
        if groupOf[key] != nil { continue }
        groupOf[key] = groups.count
        open += neighbours[key] ?? []
      }
      groups.append([change])
    }
    return groups
  }
}
