import CgroupFiles
import PluginKit

/// The `freezer` controller, used to stop a cgroup from forking while it is killed.
package enum FreezerController {
  package static let controller = "freezer"

  /// Tries to stop every process in the cgroup and below. A process that sits in the kernel may never stop, so this waits
  /// only a little: freezing makes killing surer, it is not needed for it.
  package static func freeze(_ cgroup: borrowing ControlDirectory, patience: Patience) throws(BackendFault) {
    var patience = patience
    guard (try? cgroup.write("freezer.state", "FROZEN")) != nil else { return }
    while let state = try? cgroup.read("freezer.state"), ControlText.text(state) == "FREEZING" {
      guard try patience.pause() else { return }
    }
  }

  /// A frozen process does not even die, so this goes for one the runtime had paused too.
  package static func thaw(_ cgroup: borrowing ControlDirectory) throws(BackendFault) {
    do { try cgroup.write("freezer.state", "THAWED") } catch {
      if !error.isMissing { throw error.fault() }
    }
  }
}
