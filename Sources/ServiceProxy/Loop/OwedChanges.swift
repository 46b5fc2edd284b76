/// Changes of service ports the kernel has not taken, each with what it holds of the port: flows go by that, and not by what was
/// asked for in between. A value.
package struct OwedChanges {
  package init() {}

  private var changes: [String: CommittedChange] = [:]
  /// Of these it is not known what the kernel holds: they failed in a load.
  private var unknown: Set<String> = []

  /// What the kernel has taken.
  package struct Taken {
    package var changes: [CommittedChange] = []
    /// Those of which it is not known what was before.
    package var unknown: [CommittedChange] = []
  }

  /// The kernel has not taken these, as far as it is known.
  package mutating func add(_ new: [CommittedChange]) {
    for change in new {
      // What it holds is what was before the first of several.
      let previous = if let owed = changes[change.key] { owed.previous } else { change.previous }
      changes[change.key] = CommittedChange(key: change.key, previous: previous, current: change.current)
    }
  }

  /// The kernel has taken a batch.
  /// - Parameter failures: service ports that failed alone, whose previous state stands.
  package mutating func take(_ new: [CommittedChange], failures: [String: String]) -> Taken {
    add(new)
    var taken = Taken()
    for key in Set(new.map(\.key)).sorted() where failures[key] == nil {
      guard let change = changes.removeValue(forKey: key) else { continue }
      if unknown.remove(key) == nil { taken.changes.append(change) } else { taken.unknown.append(change) }
    }
    return taken
  }

  /// The kernel has taken a full load, and with it whatever was owed.
  /// - Parameter new: every service port.
  package mutating func takeFullLoad(_ new: [CommittedChange], failures: [String: String]) -> [CommittedChange] {
    let known = Set(changes.keys)
    add(new)
    let taken = changes.filter { failures[$0.key] == nil }
    changes = changes.filter { failures[$0.key] != nil }
    for (key, change) in changes where !known.contains(key) || change.previous == nil {
      unknown.insert(key)
      // Its front ends at least are those it may have had.
      let current = changes[key]?.current
      changes[key]?.previous = current
    }
    unknown.formIntersection(changes.keys)
    return taken.values.sorted { $0.key < $1.key }
  }
}
