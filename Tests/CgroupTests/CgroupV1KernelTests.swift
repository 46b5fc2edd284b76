import CgroupFiles
import CgroupV1
import Glibc
import PluginKit
import ProxyTesting
import Testing

/// The v1 backend over the hierarchies mounted on this machine; needs root, and fails where there are none.
@Suite(.serialized, .blocking) struct CgroupV1KernelTests {
  private let it: CgroupBehaviour
  private let hierarchies: Hierarchies

  init() throws {
    let top = CgroupBehaviour.uniqueName()
    let mounts = MountTable.parse(try ControlDirectory(root: "/proc/self").read("mountinfo"))
    let hierarchies = Hierarchies.mounted(mounts)
    self.hierarchies = hierarchies
    it = try CgroupBehaviour(
      backend: try CgroupV1Manager(host: HostServices(testing: { _, _ in }), configuration: ["owned": top]), top: top,
      processFiles: { path in hierarchies.writable.map { "\($0.directory)/\(path)/cgroup.procs" } },
      file: { controller, path, name in "\(hierarchies.find(controller)?.location ?? "/no \(controller)")/\(path)/\(name)" })
  }

  // MARK: Shared behaviour

  @Test func createdCgroupHasItsLimits() throws {
    try it.createdCgroupHasItsLimits(
      CgroupResources(cpuShares: 512, cpuQuota: 20_000, cpuPeriod: 50_000, memory: 64 << 20, pids: 99),
      [
        ("cpu", "cpu.shares", "512"), ("cpu", "cpu.cfs_quota_us", "20000"), ("cpu", "cpu.cfs_period_us", "50000"),
        ("memory", "memory.limit_in_bytes", "67108864"), ("pids", "pids.max", "99"),
      ])
  }
  @Test func createdAgainKeepsWhatItHolds() throws { try it.createdAgainKeepsWhatItHolds() }
  @Test func limitsAreRaisedLoweredAndLifted() throws { try it.limitsAreRaisedLoweredAndLifted() }
  @Test func parentsLimitIsInForceBelow() throws { try it.parentsLimitIsInForceBelow() }
  @Test func oddNamesAreFine() throws { try it.oddNamesAreFine() }
  @Test func whatIsNotThereIsNotFoundAndNeedsNoRemoval() throws { try it.whatIsNotThereIsNotFoundAndNeedsNoRemoval() }
  @Test func pathsThatLeaveTheRootAreRefused() throws { try it.pathsThatLeaveTheRootAreRefused() }
  @Test func processIsCountedAndKilled() throws { try it.processIsCountedAndKilled() }
  @Test func killReachesNestedCgroupsAndNoOthers() throws { try it.killReachesNestedCgroupsAndNoOthers() }
  @Test func forkBombStopsAtItsLimitAndIsKilled() throws { try it.forkBombStopsAtItsLimitAndIsKilled() }
  @Test func memoryHogDiesInItsCgroupOnly() throws { try it.memoryHogDiesInItsCgroupOnly() }
  @Test func cpuHogIsThrottledAndItsTimeCounted() throws { try it.cpuHogIsThrottledAndItsTimeCounted() }
  @Test func removalRefusesWhileProcessesAreLeft() throws { try it.removalRefusesWhileProcessesAreLeft() }
  @Test func removalTakesNestedCgroups() throws { try it.removalTakesNestedCgroups() }
  @Test func childrenAreNamedFromTheRoot() throws { try it.childrenAreNamedFromTheRoot() }
  @Test func cleanupTakesAllOfOursAndNothingElse() throws { try it.cleanupTakesAllOfOursAndNothingElse() }
  @Test func cgroupThatVanishesWhileReadIsNotFound() throws { try it.cgroupThatVanishesWhileReadIsNotFound() }
  @Test func pausedCgroupIsKilledAndResumed() throws {
    let state = { it.file("freezer", $0, "freezer.state") }
    try it.pausedCgroupIsKilledAndResumed(
      pause: { try it.write(state($0), "FROZEN") }, isPaused: { try readFile(state($0)) != "THAWED" })
  }
  // MARK: v1 only

  @Test func everyHierarchyGetsTheCgroup() throws {
    try it.backend.create(it.pod, CgroupResources())
    for hierarchy in hierarchies.writable { #expect(try hierarchy.directory.childNames(CgroupPath(it.pod)) == []) }
    #expect(hierarchies.writable.count >= 3)
  }

  @Test func newCgroupCanRunProcessesInItsCpuset() throws {
    try it.backend.create(it.pod, CgroupResources())
    for file in ["cpuset.cpus", "cpuset.mems"] { #expect(try readFile(it.file("cpuset", it.pod, file)) != "") }
  }

  @Test func quotaAboveTheParentsIsRefusedWithBothNumbers() throws {
    try it.backend.create(it.pod, CgroupResources(cpuQuota: 20_000))
    let child = "\(it.pod)/container"
    let fault = try #require(throws: BackendFault.self) { try it.backend.create(child, CgroupResources(cpuQuota: 30_000)) }
    #expect(fault.status == .invalid)
    #expect(fault.osErrno == EINVAL)
    #expect(fault.message.contains("wanted 30000 µs of each 100000 µs"))
    #expect(fault.message.contains("has quota 20000 of period 100000"))
  }

  @Test func aShorterPeriodIsTakenTogetherWithItsQuota() throws {
    try it.backend.create(it.pod, CgroupResources(cpuQuota: 50_000, cpuPeriod: 100_000))
    let child = "\(it.pod)/container"
    try it.backend.create(child, CgroupResources(cpuQuota: 50_000, cpuPeriod: 100_000))
    // 50000 of each 10000 would be ten times the parent's, if only for the moment between two writes.
    try it.backend.set(child, CgroupResources(cpuQuota: 5000, cpuPeriod: 10_000))
    #expect(try readFile(it.file("cpu", child, "cpu.cfs_period_us")) == "10000")
    #expect(try readFile(it.file("cpu", child, "cpu.cfs_quota_us")) == "5000")
  }

  @Test func aLimitBelowMemoryInUseIsRefusedWithTheNumber() throws {
    try it.backend.create(it.pod, CgroupResources(memory: 256 << 20))
    let hog = try it.start("x=$(head -c 32m /dev/zero | tr '\\0' x); sleep 1000", in: it.pod)
    try eventually("memory is in use") { try it.backend.usage(it.pod).workingSet > 30 << 20 }
    let fault = try #require(throws: BackendFault.self) { try it.backend.set(it.pod, CgroupResources(memory: 1 << 20)) }
    #expect(fault.status == .retry)
    #expect(fault.message.contains("above the limit wanted"))
    #expect(hog.isRunning)
  }

  @Test func aProcessInOneHierarchyOnlyIsFoundAndKilled() throws {
    try it.backend.create(it.pod, CgroupResources())
    let file = it.file("pids", it.pod, "cgroup.procs")
    let child = try ChildProcess(in: [file], "exec sleep 1000")
    try eventually("it is listed") { try it.processes(it.pod) == [child.id] }
    try it.backend.kill(it.pod)
    #expect(try child.endingSignal() == SIGKILL)
  }

  @Test func aProcessInOneHierarchyKeepsTheCgroupInAll() throws {
    try it.backend.create(it.pod, CgroupResources())
    let child = try ChildProcess(in: [it.file("pids", it.pod, "cgroup.procs")], "exec sleep 1000")
    try eventually("it is listed") { try it.processes(it.pod) == [child.id] }
    #expect(try it.status { try it.backend.remove(it.pod) } == .retry)
    for hierarchy in hierarchies.writable { #expect(try hierarchy.directory.childNames(CgroupPath(it.pod)) == []) }
  }

  @Test func probeAgreesWithWhatIsMounted() throws { try it.backend.probe() }

  /// The cgroup of this process in a controller's hierarchy.
  private func current(controller: String) throws -> String {
    let lines = String(decoding: try ControlDirectory(root: "/proc/self").read("cgroup"), as: UTF8.self).split(separator: "\n")
    let line = try #require(lines.first { $0.contains(":\(controller):") })
    return String(try #require(line.split(separator: ":", maxSplits: 2).last))
  }
}
