import CgroupFiles
import PluginKit

/// Finding and removing what is ours: the owned cgroup and all below it.
extension CgroupV2Manager {
  /// Kills what still runs in our cgroups, then removes them. A cgroup another agent made below the owned name goes too:
  /// give two agents on one machine different names.
  ///
  /// In systemd's hybrid layout the hierarchy holds the v1 backend's cgroups, for tracking processes: those are ours too.
  package func cleanup(removed: (String) -> Void) throws(BackendFault) {
    guard let hierarchy = try currentHierarchyIfMounted() else { return }
    try kill(configuration.owned, in: hierarchy)
    try remove(configuration.owned, in: hierarchy) { removed("cgroup \($0)") }
  }

  package func listOwned(_ owned: (String) -> Void) throws(BackendFault) {
    guard let hierarchy = try currentHierarchyIfMounted() else { return }
    for path in try hierarchy.subtree(configuration.owned).sorted() { owned("cgroup \(path)") }
  }
}
