import CgroupFiles
import PluginKit

/// cgroup v2: one hierarchy for everything.
package final class CgroupV2Manager: CgroupPlugin {
  let host: HostServices
  let configuration: CgroupConfiguration
  private var hierarchy: HierarchyDirectory?

  /// How long `kill` tries before it answers `.retry`, and `remove` waits for the kernel.
  package var killPatience = Duration.seconds(20)
  package var removePatience = Duration.seconds(2)
  /// `false` kills by freezing and signals, as on kernels before 5.14; for tests.
  package var usesKillFile = true

  package init(host: HostServices, configuration: [String: String]) throws(BackendFault) {
    self.host = host
    self.configuration = try CgroupConfiguration(configuration)
  }

  // MARK: Life

  package func probe() throws(BackendFault) { _ = try discover() }

  package func start() throws(BackendFault) { hierarchy = try discover() }

  package func stop() { hierarchy = nil }

  private func discover() throws(BackendFault) -> HierarchyDirectory {
    let mounts = configuration.mount == nil ? try Self.mounts() : []
    guard let found = find(mounts) else { throw Support.notMounted(mounts) }
    let directory = try found.directory.root()
    let root = Support.Root(
      controllers: ControlText.words(try directory.contents("cgroup.controllers") ?? []),
      isNested: directory.has("cgroup.type"))
    if let fault = Support.fault(found, root: root, mounts: mounts) { throw fault }
    return found.directory
  }

  private func find(_ mounts: [MountEntry]) -> Hierarchy? {
    guard let directory = configuration.mount else { return .mounted(mounts) }
    return Hierarchy(directory: HierarchyDirectory(directory))
  }

  /// That of `start`, or what is mounted now: cleaning up needs no start and takes whatever is there.
  func currentHierarchyIfMounted() throws(BackendFault) -> HierarchyDirectory? {
    if let hierarchy { return hierarchy }
    return find(configuration.mount == nil ? try Self.mounts() : [])?.directory
  }

  private func currentHierarchy() throws(BackendFault) -> HierarchyDirectory {
    guard let found = try currentHierarchyIfMounted() else { throw Support.notMounted([]) }
    return found
  }

  private static func mounts() throws(BackendFault) -> [MountEntry] {
    do { return MountTable.parse(try ControlDirectory(root: "/proc/self").read("mountinfo")) } catch { throw error.fault() }
  }

  // MARK: Limits

  package func create(_ path: String, _ resources: CgroupResources) throws(BackendFault) {
    let cgroup = try CgroupPath(path)
    try resources.check()
    let hierarchy = try currentHierarchy()
    try hierarchy.create(
      cgroup,
      prepare: { parent throws(BackendFault) in
        try SubtreeControl.enable(in: parent) { host.log(.debug, "controller not handed down", ["reason": $0.message]) }
      })
    try apply(resources, to: try hierarchy.open(cgroup))
  }

  package func set(_ path: String, _ resources: CgroupResources) throws(BackendFault) {
    let cgroup = try CgroupPath(path)
    try resources.check()
    try apply(resources, to: try currentHierarchy().open(cgroup))
  }

  private func apply(_ resources: CgroupResources, to cgroup: borrowing ControlDirectory) throws(BackendFault) {
    try MemoryController.apply(resources, to: cgroup)
    try PidsController.apply(resources, to: cgroup)
    try CPUController.apply(resources, to: cgroup)
  }

  // MARK: Reading

  package func usage(_ path: String) throws(BackendFault) -> CgroupUsage {
    let cgroup = try CgroupPath(path)
    let hierarchy = try currentHierarchy()
    let directory = try hierarchy.open(cgroup)
    var usage = CgroupUsage()
    try CPUController.read(directory, into: &usage)
    try PidsController.read(directory, into: &usage)
    try MemoryController.read(directory, into: &usage)
    usage.memoryLimit = try MemoryController.limit(of: cgroup, in: hierarchy)
    return usage
  }

  package func processes(_ path: String, _ process: (Int32) -> Void) throws(BackendFault) {
    let cgroup = try CgroupPath(path)
    let hierarchy = try currentHierarchy()
    _ = try hierarchy.open(cgroup)
    var found: Set<Int32> = []
    try hierarchy.processes(cgroup, into: &found)
    for id in found.sorted() { process(id) }
  }

  package func children(_ path: String, _ child: (String) -> Void) throws(BackendFault) {
    let cgroup = try CgroupPath(path)
    let hierarchy = try currentHierarchy()
    guard let names = try hierarchy.childNames(cgroup) else {
      throw BackendFault(.notFound, "cgroup \(hierarchy.path(of: cgroup)) is not there")
    }
    for name in names { child(cgroup.appending(name).description) }
  }

  // MARK: Ending

  package func kill(_ path: String) throws(BackendFault) {
    try kill(try CgroupPath(path), in: try currentHierarchy())
  }

  package func remove(_ path: String) throws(BackendFault) {
    try remove(try CgroupPath(path), in: try currentHierarchy())
  }

  func kill(_ cgroup: CgroupPath, in hierarchy: HierarchyDirectory) throws(BackendFault) {
    guard let directory = try hierarchy.openIfPresent(cgroup) else { return }
    guard try isPopulated(directory, cgroup, hierarchy) else { return }
    var patience = Patience(killPatience, host: host)
    repeat {
      var processes: Set<Int32> = []
      try hierarchy.processes(cgroup, into: &processes)
      try ProcessSignal.refuseOwn(processes, in: directory.path)
      let isKilled = usesKillFile ? try FreezerController.kill(directory) : false
      if !isKilled { try killFrozen(directory, cgroup, hierarchy) }
      let goesOn = try patience.pause { directory.awaitChange(of: "cgroup.events", milliseconds: $0) }
      guard goesOn else { throw ProcessSignal.stillThere(processes, in: directory.path) }
    } while try isPopulated(directory, cgroup, hierarchy)
    // A container that was paused would stay so in the runtime's eyes, which asks the freezer and then refuses to delete.
    for path in try hierarchy.subtree(cgroup) {
      if let below = try hierarchy.openIfPresent(path) { try FreezerController.thaw(below) }
    }
  }

  /// The kernel's own answer, which counts processes that cannot be seen from this pid namespace as well.
  private func isPopulated(
    _ directory: borrowing ControlDirectory, _ cgroup: CgroupPath, _ hierarchy: HierarchyDirectory
  ) throws(BackendFault) -> Bool {
    do {
      if let populated = try directory.number("cgroup.events", key: "populated") { return populated != 0 }
    } catch {
      guard error.status == .notFound else { throw error }
      return false
    }
    var processes: Set<Int32> = []
    try hierarchy.processes(cgroup, into: &processes)
    return !processes.isEmpty
  }

  private func killFrozen(
    _ directory: borrowing ControlDirectory, _ cgroup: CgroupPath, _ hierarchy: HierarchyDirectory
  ) throws(BackendFault) {
    var fault: BackendFault?
    do {
      try FreezerController.freeze(directory, patience: Patience(.milliseconds(500), host: host))
      var processes: Set<Int32> = []
      try hierarchy.processes(cgroup, into: &processes)
      try ProcessSignal.kill(processes)
    } catch let thrown {
      fault = thrown
    }
    try FreezerController.thaw(directory)
    if let fault { throw fault }
  }

  func remove(
    _ cgroup: CgroupPath, in hierarchy: HierarchyDirectory, removed: (CgroupPath) -> Void = { _ in }
  ) throws(BackendFault) {
    var processes: Set<Int32> = []
    try hierarchy.processes(cgroup, into: &processes)
    guard processes.isEmpty else { throw ProcessSignal.stillThere(processes, in: hierarchy.path(of: cgroup)) }
    try hierarchy.remove(cgroup, patience: Patience(removePatience, host: host), removed: removed)
  }
}
