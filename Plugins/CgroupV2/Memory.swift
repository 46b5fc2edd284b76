import CgroupFiles
import PluginKit

/// The `memory` controller.
package enum MemoryController {
  package static let controller = "memory"

  /// A limit below what is used is taken: the kernel reclaims, then kills. That is v2's own meaning of a hard limit.
  package static func apply(_ resources: CgroupResources, to cgroup: borrowing ControlDirectory) throws(BackendFault) {
    guard let limit = resources.memory else { return }
    try cgroup.put("memory.max", limit == CgroupResources.unlimited ? "max" : "\(limit)")
  }

  /// All but the limit, which `limit(of:in:)` reads.
  package static func read(_ cgroup: borrowing ControlDirectory, into usage: inout CgroupUsage) throws(BackendFault) {
    usage.memory = try cgroup.number("memory.current") ?? 0
    let inactive = try cgroup.number("memory.stat", key: "inactive_file") ?? 0
    usage.workingSet = usage.memory > inactive ? usage.memory - inactive : 0
    // Counts what happened in the cgroup and below, removed children included.
    usage.oomKills = try cgroup.number("memory.events", key: "oom_kill") ?? 0
  }

  /// The limit in force: the least of the cgroup's own and of all above that can be seen from here.
  package static func limit(
    of cgroup: CgroupPath, in hierarchy: HierarchyDirectory
  ) throws(BackendFault) -> UInt64 {
    var current = try hierarchy.root()
    var least = try current.number("memory.max") ?? CgroupResources.unlimited
    for name in cgroup.names {
      do { current = try current.subdirectory(name) } catch { throw error.fault() }
      least = min(least, try current.number("memory.max") ?? CgroupResources.unlimited)
    }
    return least
  }
}
