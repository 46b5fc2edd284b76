import CRI

/// What changed between two lists of the runtime, by sandbox: a function of two values.
package struct RelistDifference: Equatable {
  /// Sandboxes that appeared, went, changed state, or of which a container did.
  package private(set) var changedSandboxes: Set<String> = []

  /// Both snapshots are sorted by id, so this is one walk over each.
  package init(from old: RelistSnapshot, to new: RelistSnapshot) {
    RelistDifference.walk(old.sandboxes, new.sandboxes, id: \.id) { changedSandboxes.insert($0.id) }
    RelistDifference.walk(old.containers, new.containers, id: \.id) { changedSandboxes.insert($0.sandboxID) }
  }

  private static func walk<Item: Equatable>(_ old: [Item], _ new: [Item], id: (Item) -> String, changed: (Item) -> Void) {
    var left = 0
    var right = 0
    while left < old.count || right < new.count {
      if right == new.count {
        changed(old[left])
        left += 1
      } else if left == old.count {
        changed(new[right])
        right += 1
      } else if id(old[left]) == id(new[right]) {
        if old[left] != new[right] { changed(new[right]) }
        left += 1
        right += 1
      } else if id(old[left]) < id(new[right]) {
        changed(old[left])
        left += 1
      } else {
        changed(new[right])
        right += 1
      }
    }
  }
}
