import CgroupFiles
import Glibc
import PluginKit

/// Can this backend work here, and if not, why and what to do?
package enum Support {
  package static let needed = [CPUController.controller, MemoryController.controller, PidsController.controller]

  /// - Parameter kernel: `/proc/cgroups`, which tells apart a controller that is off from one that is mounted nowhere.
  package static func fault(_ hierarchies: Hierarchies, mounts: [MountEntry], kernel: [UInt8]) -> BackendFault? {
    let missing = needed.filter { hierarchies.find($0) == nil }
    guard !missing.isEmpty else { return readOnly(hierarchies) }
    let names = missing.joined(separator: ", ")
    if missing.count == needed.count, let unified = mounts.first(where: { $0.type == "cgroup2" }) {
      return BackendFault(
        .unsupported,
        "no cgroup v1 hierarchy with \(names) is mounted, but cgroup v2 is at \(unified.mountPoint): use "
          + "--cgroup-driver=cgroupv2, or boot with systemd.unified_cgroup_hierarchy=0")
    }
    let off = missing.filter { isOff($0, kernel) }
    if !off.isEmpty {
      let parameters = off.map { "cgroup_enable=\($0)" }.joined(separator: " ")
      return BackendFault(
        .unsupported,
        "the kernel has \(off.joined(separator: ", ")) cgroups switched off: add \(parameters) to the kernel command line "
          + "(on a Raspberry Pi in cmdline.txt) and reboot")
    }
    let example = missing.first ?? "cpu"
    return BackendFault(
      .unsupported,
      "no cgroup v1 hierarchy with \(names) is mounted: mount it, as in \"mkdir -p /sys/fs/cgroup/\(example) && "
        + "mount -t cgroup -o \(example) cgroup /sys/fs/cgroup/\(example)\", or install cgroupfs-mount; a controller that "
        + "cgroup v2 holds cannot be mounted")
  }

  private static func readOnly(_ hierarchies: Hierarchies) -> BackendFault? {
    for controller in needed {
      guard let found = hierarchies.all.first(where: { $0.controllers.contains(controller) }) else { continue }
      if found.isReadOnly {
        return BackendFault(
          .denied,
          "the \(controller) hierarchy at \(found.directory) is mounted read-only: remount it read-write, or give the "
            + "container write access to it", errno: EROFS)
      }
    }
    return nil
  }

  /// `/proc/cgroups`: name, hierarchy, number of cgroups, enabled.
  private static func isOff(_ controller: String, _ kernel: [UInt8]) -> Bool {
    kernel.split(separator: UInt8(ascii: "\n")).contains { line in
      let fields = ControlText.words(Array(line))
      return fields.first == controller && fields.last == "0"
    }
  }
}
