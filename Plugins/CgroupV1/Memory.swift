import CgroupFiles
import Glibc
import PluginKit

/// The `memory` controller.
package enum MemoryController {
  package static let controller = "memory"

  package static func apply(_ resources: CgroupResources, to cgroup: borrowing ControlDirectory) throws(BackendFault) {
    guard let limit = resources.memory else { return }
    let unlimited = limit == CgroupResources.unlimited
    // memory+swap may never be below memory: where somebody limited it, it has to rise first. It is never lowered here, so
    // that lowering needs no order.
    if let both = try cgroup.number("memory.memsw.limit_in_bytes").map(ControlText.limit), both < limit {
      try cgroup.put("memory.memsw.limit_in_bytes", unlimited ? "-1" : "\(limit)")
    }
    do { try cgroup.write("memory.limit_in_bytes", unlimited ? "-1" : "\(limit)") } catch {
      guard error.osErrno == EBUSY else { throw error.fault() }
      // The kernel reclaims before it says busy, so this is memory in use.
      let used = (try cgroup.number("memory.usage_in_bytes")).map { "\($0)" } ?? "?"
      throw error.fault("its processes use \(used) bytes, above the limit wanted, and not enough could be reclaimed")
    }
  }

  /// Without `use_hierarchy` (kernels before 5.11, unless systemd set it at the root) a cgroup's limit does not count what
  /// its children use: a pod's limit would limit nothing.
  package static func settle(_ cgroup: borrowing ControlDirectory) throws(BackendFault) {
    guard try cgroup.number("memory.use_hierarchy") == 0 else { return }
    try cgroup.put("memory.use_hierarchy", "1")
  }

  package static func read(_ cgroup: borrowing ControlDirectory, into usage: inout CgroupUsage) throws(BackendFault) {
    usage.memory = try cgroup.number("memory.usage_in_bytes") ?? 0
    let inactive = try cgroup.number("memory.stat", key: "total_inactive_file") ?? 0
    usage.workingSet = usage.memory > inactive ? usage.memory - inactive : 0
    // The limit in force is the least of this cgroup's and all above; the kernel computes it.
    if let limit = try cgroup.number("memory.stat", key: "hierarchical_memory_limit") {
      usage.memoryLimit = ControlText.limit(limit)
    } else {
      usage.memoryLimit = try cgroup.number("memory.limit_in_bytes").map(ControlText.limit) ?? CgroupResources.unlimited
    }
  }

  /// Kills counted in this cgroup alone: v1 does not add up what happened below. Not counted before Linux 4.13.
  package static func oomKills(_ cgroup: borrowing ControlDirectory) throws(BackendFault) -> UInt64 {
    try cgroup.number("memory.oom_control", key: "oom_kill") ?? 0
  }
}
