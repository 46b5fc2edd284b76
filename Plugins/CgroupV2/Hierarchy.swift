import CgroupFiles
import PluginKit

/// Where the unified hierarchy is.
package struct Hierarchy: Sendable, Equatable {
  package var directory: HierarchyDirectory
  package var isReadOnly: Bool

  package init(directory: HierarchyDirectory, isReadOnly: Bool = false) {
    self.directory = directory
    self.isReadOnly = isReadOnly
  }

  /// There is one v2 hierarchy, mounted in any number of places: taken is the one runtimes use, /sys/fs/cgroup, else the
  /// whole of it rather than a part, else the first. `nil`: mounted nowhere.
  package static func mounted(_ mounts: [MountEntry]) -> Hierarchy? {
    var best: MountEntry?
    for mount in mounts where mount.type == "cgroup2" {
      if let known = best, preference(known) >= preference(mount) { continue }
      best = mount
    }
    return best.map { Hierarchy(directory: HierarchyDirectory($0.mountPoint), isReadOnly: $0.isReadOnly) }
  }

  private static func preference(_ mount: MountEntry) -> Int {
    (mount.mountPoint == "/sys/fs/cgroup" ? 2 : 0) + (mount.root == "/" ? 1 : 0)
  }
}
