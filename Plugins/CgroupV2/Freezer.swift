import CgroupFiles
import Glibc
import PluginKit

/// The freezer, part of every v2 cgroup since Linux 5.2, and `cgroup.kill` since 5.14, which needs no freezing.
package enum FreezerController {
  /// Kills everything in the cgroup and below in one stroke, forks on their way included.
  /// - Returns: whether this kernel and cgroup can.
  package static func kill(_ cgroup: borrowing ControlDirectory) throws(BackendFault) -> Bool {
    do { try cgroup.write("cgroup.kill", "1") } catch {
      // A threaded cgroup has the file and refuses it.
      guard error.isMissing || error.osErrno == EOPNOTSUPP else { throw error.fault() }
      return false
    }
    return true
  }

  /// Tries to stop every process in the cgroup and below, waiting only a little: it makes killing by signals surer.
  package static func freeze(_ cgroup: borrowing ControlDirectory, patience: Patience) throws(BackendFault) {
    var patience = patience
    guard (try? cgroup.write("cgroup.freeze", "1")) != nil else { return }
    while let events = try? cgroup.read("cgroup.events"), ControlText.value(of: "frozen", in: events) == 0 {
      guard try patience.pause() else { return }
    }
  }

  /// Frozen processes of v2 do die of SIGKILL; thawing is for whoever is put there later.
  package static func thaw(_ cgroup: borrowing ControlDirectory) throws(BackendFault) {
    do { try cgroup.write("cgroup.freeze", "0") } catch {
      if !error.isMissing { throw error.fault() }
    }
  }
}
