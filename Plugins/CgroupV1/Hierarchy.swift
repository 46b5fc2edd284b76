import CgroupFiles
import PluginKit

/// One mounted v1 hierarchy, or the v2 one beside them in systemd's hybrid layout.
package struct Hierarchy: Sendable, Equatable {
  /// Kernel controllers bound to it ("cpu", "cpuacct"), a named one as "name=systemd", and "" for v2 without controllers.
  package var controllers: [String]
  package var directory: HierarchyDirectory
  package var isReadOnly: Bool

  package init(controllers: [String], directory: HierarchyDirectory, isReadOnly: Bool = false) {
    self.controllers = controllers
    self.directory = directory
    self.isReadOnly = isReadOnly
  }
}

/// All of them: a process that belongs to a cgroup belongs to the one of that name in each.
package struct Hierarchies: Sendable, Equatable {
  package var all: [Hierarchy]

  package init(all: [Hierarchy]) { self.all = all }

  /// Those the backend may change.
  package var writable: [Hierarchy] { all.filter { !$0.isReadOnly } }

  /// - Throws: `.unsupported` when no hierarchy has the controller.
  package func with(_ controller: String) throws(BackendFault) -> HierarchyDirectory {
    guard let found = find(controller) else {
      throw BackendFault(.unsupported, "no cgroup v1 hierarchy with the \(controller) controller is mounted")
    }
    return found
  }

  package func find(_ controller: String) -> HierarchyDirectory? {
    all.first { $0.controllers.contains(controller) }?.directory
  }

  /// What is mounted. A hierarchy mounted in several places is taken where runtimes look for it: below /sys/fs/cgroup, the
  /// whole of it rather than a part, the first of equals.
  package static func mounted(_ mounts: [MountEntry]) -> Hierarchies {
    var order: [[String]] = []
    var best: [[String]: MountEntry] = [:]
    for mount in mounts {
      guard let controllers = controllers(of: mount) else { continue }
      if let known = best[controllers] {
        if preference(mount) > preference(known) { best[controllers] = mount }
      } else {
        order.append(controllers)
        best[controllers] = mount
      }
    }
    return Hierarchies(
      all: order.compactMap { controllers in
        best[controllers].map {
          Hierarchy(
            controllers: controllers, directory: HierarchyDirectory($0.mountPoint), isReadOnly: $0.isReadOnly)
        }
      })
  }

  /// The directory given for tests: each directory in it is a hierarchy, named by its controllers with commas between.
  package static func inside(_ directory: String) throws(BackendFault) -> Hierarchies {
    let names: [String]
    do {
      let root = try ControlDirectory(root: directory)
      names = try root.subdirectories()
    } catch { throw error.fault("configuration key mount") }
    return Hierarchies(
      all: names.map { name in
        let controllers: [String] =
          switch name {
          case "unified": [""]
          case "systemd": ["name=systemd"]
          default: name.split(separator: ",").map(String.init)
          }
        return Hierarchy(controllers: controllers, directory: HierarchyDirectory("\(directory)/\(name)"))
      })
  }

  private static func preference(_ mount: MountEntry) -> Int {
    (mount.mountPoint.hasPrefix("/sys/fs/cgroup/") ? 2 : 0) + (mount.root == "/" ? 1 : 0)
  }

  private static func controllers(of mount: MountEntry) -> [String]? {
    switch mount.type {
    case "cgroup":
      // What cgroup_show_options of the kernel writes besides the controllers.
      let flags: Set<String> = [
        "rw", "ro", "noprefix", "xattr", "clone_children", "cpuset_v2_mode", "favordynmods", "none", "all",
      ]
      let controllers = mount.superOptions.filter { option in
        !flags.contains(option) && (!option.contains("=") || option.hasPrefix("name="))
      }
      return controllers.isEmpty ? nil : controllers
    case "cgroup2": return [""]
    default: return nil
    }
  }
}
