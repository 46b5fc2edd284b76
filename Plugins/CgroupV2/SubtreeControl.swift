import CgroupFiles
import Glibc
import PluginKit

/// `cgroup.subtree_control`: a controller works in a cgroup only when every cgroup above hands it down.
package enum SubtreeControl {
  package static let needed = [CPUController.controller, MemoryController.controller, PidsController.controller]
  /// Handed down where the kernel has them, for the runtime to use; failing to is no error.
  package static let wanted = ["cpuset", "io", "hugetlb"]

  /// Hands down from `parent` what it has and does not hand down yet.
  /// - Parameter unavailable: told of a controller that could not be handed down and is not needed.
  package static func enable(
    in parent: borrowing ControlDirectory, unavailable: (BackendFault) -> Void
  ) throws(BackendFault) {
    let available = ControlText.words(try parent.contents("cgroup.controllers") ?? [])
    let missing = needed.filter { !available.contains($0) }
    guard missing.isEmpty else {
      throw BackendFault(
        .unsupported,
        "\(parent.path) has no \(missing.joined(separator: ", ")) controller to hand down: cgroup.controllers has "
          + "\"\(available.joined(separator: " "))\"\(typeNote(parent))")
    }
    let enabled = ControlText.words(try parent.contents("cgroup.subtree_control") ?? [])
    let wanting = { (names: [String]) in names.filter { available.contains($0) && !enabled.contains($0) } }
    let all = wanting(needed + wanted)
    if all.isEmpty || (try? hand(down: all, in: parent)) != nil { return }
    // One write is all or none. What is needed stays together: `cpu` alone is taken from a cgroup with processes too, and
    // turns it into a threaded one, of no use to pods.
    let necessary = wanting(needed)
    if !necessary.isEmpty {
      do { try hand(down: necessary, in: parent) } catch { throw error.fault(advice(error.osErrno, parent)) }
    }
    for controller in wanting(wanted) {
      do { try hand(down: [controller], in: parent) } catch { unavailable(error.fault(advice(error.osErrno, parent))) }
    }
  }

  private static func hand(
    down controllers: [String], in parent: borrowing ControlDirectory
  ) throws(CgroupFileError) {
    try parent.write("cgroup.subtree_control", controllers.map { "+\($0)" }.joined(separator: " "))
  }

  private static func advice(_ code: Int32, _ parent: borrowing ControlDirectory) -> String? {
    switch code {
    case EBUSY:
      let count = (try? parent.read("cgroup.procs")).map { ControlText.processes($0).count } ?? 0
      return "\(count) processes are in this cgroup itself, and cgroup v2 hands controllers down only from a cgroup without "
        + "processes; move them first: mkdir \(parent.path)/init && "
        + "for p in $(cat \(parent.path)/cgroup.procs); do echo $p > \(parent.path)/init/cgroup.procs; done"
    case EOPNOTSUPP: return "pods need a domain, not a threaded or invalid cgroup\(typeNote(parent))"
    case EINVAL: return "a kernel with CONFIG_RT_GROUP_SCHED refuses cpu while a real-time process runs outside of the root"
    case ENOENT: return "the controller was taken away meanwhile"
    default: return nil
    }
  }

  /// The root of a hierarchy has no type, and "domain" explains nothing.
  private static func typeNote(_ parent: borrowing ControlDirectory) -> String {
    guard let type = (try? parent.read("cgroup.type")).map(ControlText.text), type != "domain" else { return "" }
    return "; its type is \"\(type)\""
  }
}
