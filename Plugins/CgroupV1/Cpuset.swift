import CgroupFiles
import PluginKit

/// The `cpuset` controller. Its v1 form takes no process into a cgroup whose CPUs or memory nodes are empty, and a new one
/// starts empty: the parent's are copied down. Everything else in it is left to the runtime.
package enum CpusetController {
  package static let controller = "cpuset"

  package static func settle(
    _ cgroup: borrowing ControlDirectory, below parent: borrowing ControlDirectory
  ) throws(BackendFault) {
    for file in ["cpuset.cpus", "cpuset.mems"] {
      guard let current = try cgroup.contents(file), ControlText.text(current).isEmpty else { continue }
      let inherited = try parent.contents(file).map(ControlText.text) ?? ""
      guard !inherited.isEmpty else {
        throw BackendFault(.internal, "\(parent.path)/\(file) is empty: \(cgroup.path) can inherit nothing to run on")
      }
      try cgroup.put(file, inherited)
    }
  }
}
