import CgroupFiles
import Glibc
import PluginKit

/// Can this backend work here, and if not, why and what to do?
package enum Support {
  /// What the root of the hierarchy says about itself.
  package struct Root: Sendable, Equatable {
    /// `cgroup.controllers`.
    package var controllers: [String]
    /// Below the machine's own root: a container or another cgroup namespace.
    package var isNested: Bool

    package init(controllers: [String], isNested: Bool) {
      self.controllers = controllers
      self.isNested = isNested
    }
  }

  package static func fault(_ hierarchy: Hierarchy, root: Root, mounts: [MountEntry]) -> BackendFault? {
    let place = hierarchy.directory
    let missing = SubtreeControl.needed.filter { !root.controllers.contains($0) }
    guard !missing.isEmpty else {
      guard hierarchy.isReadOnly else { return nil }
      return BackendFault(
        .denied, "cgroup v2 at \(place) is mounted read-only: remount it read-write, or give the container write access to it",
        errno: EROFS)
    }
    let names = missing.joined(separator: ", ")
    let problem = "cgroup v2 at \(place) has no \(names) controller"
    let boundToV1 = missing.filter { name in mounts.contains { $0.type == "cgroup" && $0.superOptions.contains(name) } }
    if !boundToV1.isEmpty {
      return BackendFault(
        .unsupported,
        "\(problem): cgroup v1 holds \(boundToV1.joined(separator: ", ")); use --cgroup-driver=cgroupv1, or boot with "
          + "systemd.unified_cgroup_hierarchy=1 (with systemd) or cgroup_no_v1=all (without)")
    }
    if root.isNested {
      return BackendFault(
        .unsupported,
        "\(problem): the cgroup above does not hand it down to this container or namespace; add it to "
          + "cgroup.subtree_control there (Delegate=yes for a systemd unit)")
    }
    let parameters = missing.map { "cgroup_enable=\($0)" }.joined(separator: " ")
    return BackendFault(
      .unsupported,
      "\(problem): the kernel has it switched off or bound to cgroup v1; add \(parameters) cgroup_no_v1=all to the kernel "
        + "command line (on a Raspberry Pi in cmdline.txt) and reboot")
  }

  package static func notMounted(_ mounts: [MountEntry]) -> BackendFault {
    let legacy = mounts.contains { $0.type == "cgroup" }
    let advice =
      legacy
      ? "use --cgroup-driver=cgroupv1, or boot with systemd.unified_cgroup_hierarchy=1 (with systemd) or cgroup_no_v1=all (without)"
      : "mount it: mount -t cgroup2 none /sys/fs/cgroup"
    return BackendFault(.unsupported, "cgroup v2 is not mounted: \(advice)")
  }
}
