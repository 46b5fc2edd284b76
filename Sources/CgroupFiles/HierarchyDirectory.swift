import Glibc
import PluginKit

/// The place where one hierarchy is mounted, and what can be done to a cgroup of any version in it.
package struct HierarchyDirectory: Sendable, Equatable, CustomStringConvertible {
  package let location: String

  package init(_ location: String) { self.location = location }

  package var description: String { location }

  package func path(of cgroup: CgroupPath) -> String { "\(location)/\(cgroup)" }

  package func root() throws(BackendFault) -> ControlDirectory {
    do { return try ControlDirectory(root: location) } catch {
      guard error.isMissing else { throw error.fault() }
      throw BackendFault(.unsupported, "\(error) (the cgroup hierarchy is not mounted)", errno: error.osErrno)
    }
  }

  /// - Throws: `.notFound` when the cgroup is not there.
  package func open(_ cgroup: CgroupPath) throws(BackendFault) -> ControlDirectory {
    let root = try root()
    do { return try root.descend(cgroup.names) } catch { throw error.fault() }
  }

  /// The cgroup above, the root of the hierarchy for a topmost one.
  package func openParent(of cgroup: CgroupPath) throws(BackendFault) -> ControlDirectory {
    let root = try root()
    do { return try root.descend(cgroup.names.dropLast()) } catch { throw error.fault() }
  }

  /// `nil` when the cgroup is not there.
  package func openIfPresent(_ cgroup: CgroupPath) throws(BackendFault) -> ControlDirectory? {
    do { return try open(cgroup) } catch {
      guard error.status == .notFound else { throw error }
      return nil
    }
  }

  /// Makes the cgroup and its missing parents.
  /// - Parameters:
  ///   - prepare: called on the way down with each parent before the name below it is made.
  ///   - settle: called with each parent, the directory below it, and whether that was made now.
  package func create(
    _ cgroup: CgroupPath,
    prepare: (borrowing ControlDirectory) throws(BackendFault) -> Void = { _ throws(BackendFault) in },
    settle: (borrowing ControlDirectory, borrowing ControlDirectory, Bool) throws(BackendFault) -> Void = {
      _, _, _ throws(BackendFault) in
    }
  ) throws(BackendFault) {
    var parent = try root()
    for name in cgroup.names {
      try prepare(parent)
      let made: Bool
      let child: ControlDirectory
      do {
        made = try parent.makeDirectory(name)
        child = try parent.subdirectory(name)
      } catch {
        throw error.fault(Self.creationAdvice(error.osErrno))
      }
      try settle(parent, child, made)
      parent = child
    }
  }

  private static func creationAdvice(_ code: Int32) -> String? {
    switch code {
    case EROFS: "the hierarchy is mounted read-only: remount it read-write, or give the container write access to it"
    case EAGAIN: "cgroup.max.descendants or cgroup.max.depth of a parent is reached"
    case ENOTDIR: "a control file has this name"
    case ENOMEM, ENOSPC: "the kernel's limit of cgroups is reached; leftovers of removed cgroups may still hold memory"
    default: nil
    }
  }

  /// The cgroup and all below it, parents before children; empty when it is not there. What vanishes meanwhile is left out.
  package func subtree(_ cgroup: CgroupPath) throws(BackendFault) -> [CgroupPath] {
    var found: [CgroupPath] = []
    var pending = [cgroup]
    while let next = pending.popLast() {
      guard let names = try childNames(next) else { continue }
      found.append(next)
      pending += names.reversed().map { next.appending($0) }
    }
    return found
  }

  /// Names directly below; `nil` when the cgroup is not there.
  package func childNames(_ cgroup: CgroupPath) throws(BackendFault) -> [String]? {
    guard let directory = try openIfPresent(cgroup) else { return nil }
    do { return try directory.subdirectories() } catch {
      guard error.isMissing else { throw error.fault() }
      return nil
    }
  }

  /// Processes of the cgroup and of all below it. A threaded cgroup refuses to list; its processes show further up.
  package func processes(_ cgroup: CgroupPath, into all: inout Set<Int32>) throws(BackendFault) {
    for path in try subtree(cgroup) {
      guard let directory = try openIfPresent(path) else { continue }
      do { all.formUnion(ControlText.processes(try directory.read("cgroup.procs"))) } catch {
        guard error.isMissing || error.osErrno == EOPNOTSUPP else { throw error.fault() }
      }
    }
  }

  /// Removes the cgroup and all below it, children first.
  /// - Parameter removed: called with each cgroup that went.
  /// - Throws: `.retry` when the kernel still calls one busy after `patience`.
  package func remove(
    _ cgroup: CgroupPath, patience: Patience, removed: (CgroupPath) -> Void = { _ in }
  ) throws(BackendFault) {
    var patience = patience
    while true {
      var busy: CgroupFileError?
      for path in try subtree(cgroup).reversed() {
        guard let name = path.names.last else { continue }
        do throws(CgroupFileError) {
          let root = try ControlDirectory(root: location)
          let parent = try root.descend(path.names.dropLast())
          try parent.removeDirectory(name)
          removed(path)
        } catch {
          // The kernel says busy while a process is on its way out, and when somebody makes a cgroup meanwhile.
          if error.osErrno == EBUSY { busy = error } else if !error.isMissing { throw error.fault() }
        }
      }
      guard let busy else { return }
      var processes: Set<Int32> = []
      try self.processes(cgroup, into: &processes)
      if !processes.isEmpty { throw ProcessSignal.stillThere(processes, in: path(of: cgroup), errno: EBUSY) }
      guard try patience.pause() else { throw busy.fault("gave up waiting for the kernel to let go of it") }
    }
  }
}
