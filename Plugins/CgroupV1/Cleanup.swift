import CgroupFiles
import PluginKit

/// Finding and removing what is ours: the owned cgroup and all below it, in every hierarchy.
extension CgroupV1Manager {
  /// Kills what still runs in our cgroups, then removes them. A cgroup another agent made below the owned name goes too:
  /// give two agents on one machine different names.
  package func cleanup(removed: (String) -> Void) throws(BackendFault) {
    let hierarchies = try currentHierarchies()
    try kill(configuration.owned, in: hierarchies)
    var named: Set<CgroupPath> = []
    try remove(configuration.owned, in: hierarchies) { path in
      // One cgroup to the reader, however many hierarchies it was in.
      if named.insert(path).inserted { removed("cgroup \(path)") }
    }
  }

  package func listOwned(_ owned: (String) -> Void) throws(BackendFault) {
    var found: Set<CgroupPath> = []
    for hierarchy in try currentHierarchies().all { found.formUnion(try hierarchy.directory.subtree(configuration.owned)) }
    for path in found.sorted() { owned("cgroup \(path)") }
  }
}
