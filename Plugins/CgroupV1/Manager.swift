import CgroupFiles
import PluginKit

/// cgroup v1: each call does its work in every mounted hierarchy.
///
/// A cgroup counts as present when it is present in all hierarchies a call needs, and as gone when it is in none.
package final class CgroupV1Manager: CgroupPlugin {
  let host: HostServices
  let configuration: CgroupConfiguration
  private var hierarchies: Hierarchies?

  /// How long `kill` tries before it answers `.retry`, and `remove` waits for the kernel.
  package var killPatience = Duration.seconds(20)
  package var removePatience = Duration.seconds(2)

  package init(host: HostServices, configuration: [String: String]) throws(BackendFault) {
    self.host = host
    self.configuration = try CgroupConfiguration(configuration)
  }

  // MARK: Life

  package func probe() throws(BackendFault) { _ = try discover() }

  package func start() throws(BackendFault) {
    let found = try discover()
    for hierarchy in found.all where hierarchy.isReadOnly {
      host.log(.warning, "cgroup hierarchy is read-only, left alone", ["mount": hierarchy.directory.location])
    }
    hierarchies = found
  }

  package func stop() { hierarchies = nil }

  private func discover() throws(BackendFault) -> Hierarchies {
    let mounts = configuration.mount == nil ? try Self.mounts() : []
    let found = try hierarchies(mounts: mounts)
    let kernel = (try? ControlDirectory(root: "/proc").read("cgroups")) ?? []
    if let fault = Support.fault(found, mounts: mounts, kernel: kernel) { throw fault }
    return found
  }

  /// Those of `start`, or what is mounted now: cleaning up needs no start and takes whatever is there.
  func currentHierarchies() throws(BackendFault) -> Hierarchies {
    if let hierarchies { return hierarchies }
    return try hierarchies(mounts: configuration.mount == nil ? try Self.mounts() : [])
  }

  private func hierarchies(mounts: [MountEntry]) throws(BackendFault) -> Hierarchies {
    guard let directory = configuration.mount else { return .mounted(mounts) }
    return try .inside(directory)
  }

  private static func mounts() throws(BackendFault) -> [MountEntry] {
    do { return MountTable.parse(try ControlDirectory(root: "/proc/self").read("mountinfo")) } catch { throw error.fault() }
  }

  // MARK: Limits

  package func create(_ path: String, _ resources: CgroupResources) throws(BackendFault) {
    let cgroup = try CgroupPath(path)
    try resources.check()
    let hierarchies = try currentHierarchies()
    for hierarchy in hierarchies.writable {
      let settlesCpuset = hierarchy.controllers.contains(CpusetController.controller)
      let settlesMemory = hierarchy.controllers.contains(MemoryController.controller)
      try hierarchy.directory.create(
        cgroup,
        settle: { parent, child, made throws(BackendFault) in
          if settlesCpuset { try CpusetController.settle(child, below: parent) }
          if settlesMemory, made { try MemoryController.settle(child) }
        })
    }
    try apply(resources, to: cgroup, in: hierarchies)
  }

  package func set(_ path: String, _ resources: CgroupResources) throws(BackendFault) {
    let cgroup = try CgroupPath(path)
    try resources.check()
    try apply(resources, to: cgroup, in: try currentHierarchies())
  }

  private func apply(
    _ resources: CgroupResources, to cgroup: CgroupPath, in hierarchies: Hierarchies
  ) throws(BackendFault) {
    // All three are opened first: a cgroup that is gone is found out before anything of it is changed.
    let memory = try hierarchies.with(MemoryController.controller).open(cgroup)
    let pids = try hierarchies.with(PidsController.controller).open(cgroup)
    let cpu = try hierarchies.with(CPUController.controller)
    let directory = try cpu.open(cgroup)
    let parent = try cpu.openParent(of: cgroup)
    try MemoryController.apply(resources, to: memory)
    try PidsController.apply(resources, to: pids)
    try CPUController.apply(resources, to: directory, parent: parent)
  }

  // MARK: Reading

  package func usage(_ path: String) throws(BackendFault) -> CgroupUsage {
    let cgroup = try CgroupPath(path)
    let hierarchies = try currentHierarchies()
    var usage = CgroupUsage()
    if let accounting = hierarchies.find(CPUController.accounting) {
      try CPUController.read(try accounting.open(cgroup), into: &usage)
    }
    try PidsController.read(try hierarchies.with(PidsController.controller).open(cgroup), into: &usage)
    let memory = try hierarchies.with(MemoryController.controller)
    try MemoryController.read(try memory.open(cgroup), into: &usage)
    usage.oomKills = try oomKills(cgroup, in: memory)
    return usage
  }

  private func oomKills(_ cgroup: CgroupPath, in memory: HierarchyDirectory) throws(BackendFault) -> UInt64 {
    var kills: UInt64 = 0
    for path in try memory.subtree(cgroup) {
      do {
        guard let directory = try memory.openIfPresent(path) else { continue }
        kills = kills.addingReportingOverflow(try MemoryController.oomKills(directory)).partialValue
      } catch {
        // A container's cgroup may go at any moment; its pod's own absence was noticed before.
        if error.status != .notFound { throw error }
      }
    }
    return kills
  }

  package func processes(_ path: String, _ process: (Int32) -> Void) throws(BackendFault) {
    let cgroup = try CgroupPath(path)
    let hierarchies = try currentHierarchies()
    try requirePresence(of: cgroup, in: hierarchies)
    for found in try processes(cgroup, in: hierarchies).sorted() { process(found) }
  }

  package func children(_ path: String, _ child: (String) -> Void) throws(BackendFault) {
    let cgroup = try CgroupPath(path)
    let hierarchies = try currentHierarchies()
    try requirePresence(of: cgroup, in: hierarchies)
    var names: Set<String> = []
    for hierarchy in hierarchies.all { names.formUnion(try hierarchy.directory.childNames(cgroup) ?? []) }
    for name in names.sorted() { child(cgroup.appending(name).description) }
  }

  private func requirePresence(of cgroup: CgroupPath, in hierarchies: Hierarchies) throws(BackendFault) {
    for hierarchy in hierarchies.all where try hierarchy.directory.childNames(cgroup) != nil { return }
    throw BackendFault(.notFound, "cgroup \(cgroup) is in no hierarchy")
  }

  /// A process may be in the cgroup of one hierarchy and not of another (one that was moved by hand, or is being started),
  /// so all are asked.
  private func processes(_ cgroup: CgroupPath, in hierarchies: Hierarchies) throws(BackendFault) -> Set<Int32> {
    var found: Set<Int32> = []
    for hierarchy in hierarchies.all { try hierarchy.directory.processes(cgroup, into: &found) }
    return found
  }

  // MARK: Ending

  package func kill(_ path: String) throws(BackendFault) {
    try kill(try CgroupPath(path), in: try currentHierarchies())
  }

  package func remove(_ path: String) throws(BackendFault) {
    try remove(try CgroupPath(path), in: try currentHierarchies())
  }

  func kill(_ cgroup: CgroupPath, in hierarchies: Hierarchies) throws(BackendFault) {
    var patience = Patience(killPatience, host: host)
    var signalled: Set<Int32> = []
    var processes = try self.processes(cgroup, in: hierarchies)
    while !processes.isEmpty {
      try ProcessSignal.refuseOwn(processes, in: cgroup.description)
      if processes.isSubset(of: signalled) {
        // All are on their way out; a number may have been given to a newborn, so the signal goes again.
        try ProcessSignal.kill(processes)
      } else {
        processes = try killFrozen(cgroup, in: hierarchies)
        signalled.formUnion(processes)
      }
      guard try patience.pause() else { throw ProcessSignal.stillThere(processes, in: cgroup.description) }
      processes = try self.processes(cgroup, in: hierarchies)
    }
  }

  /// Freezes, so that what is listed is what there is and nobody forks in between, then signals and thaws: only then a
  /// process of a v1 freezer dies.
  private func killFrozen(_ cgroup: CgroupPath, in hierarchies: Hierarchies) throws(BackendFault) -> Set<Int32> {
    let freezer = hierarchies.find(FreezerController.controller)
    var fault: BackendFault?
    var processes: Set<Int32> = []
    do {
      if let freezer, let directory = try freezer.openIfPresent(cgroup) {
        try FreezerController.freeze(directory, patience: Patience(.milliseconds(500), host: host))
      }
      processes = try self.processes(cgroup, in: hierarchies)
      try ProcessSignal.kill(processes)
    } catch let thrown {
      fault = thrown
    }
    if let freezer {
      for path in try freezer.subtree(cgroup) {
        if let directory = try freezer.openIfPresent(path) { try FreezerController.thaw(directory) }
      }
    }
    if let fault { throw fault }
    return processes
  }

  func remove(
    _ cgroup: CgroupPath, in hierarchies: Hierarchies, removed: (CgroupPath) -> Void = { _ in }
  ) throws(BackendFault) {
    // Looked at in all hierarchies before the first is touched, so that a refusal leaves the cgroup whole.
    let processes = try processes(cgroup, in: hierarchies)
    guard processes.isEmpty else { throw ProcessSignal.stillThere(processes, in: cgroup.description) }
    let patience = Patience(removePatience, host: host)
    for hierarchy in hierarchies.writable { try hierarchy.directory.remove(cgroup, patience: patience, removed: removed) }
  }
}
