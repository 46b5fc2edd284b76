import CgroupFiles
import PluginKit

/// The `pids` controller: processes and threads.
package enum PidsController {
  package static let controller = "pids"

  package static func apply(_ resources: CgroupResources, to cgroup: borrowing ControlDirectory) throws(BackendFault) {
    guard let limit = resources.pids else { return }
    try cgroup.put("pids.max", limit > CgroupResources.highestPids ? "max" : "\(limit)")
  }

  package static func read(_ cgroup: borrowing ControlDirectory, into usage: inout CgroupUsage) throws(BackendFault) {
    usage.pids = try cgroup.number("pids.current") ?? 0
  }
}
