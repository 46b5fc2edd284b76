import CgroupFiles
import CgroupV2
import Glibc
import PluginKit
import Testing

/// The v2 backend over the unified hierarchy. Machines with v1 mounted cannot run it, so it belongs to the ring of the
/// virtual machine: `Scripts/vm/run` sets `SWIFTLET_TEST_RING=vm`, and that ring fails when it ran nothing.
@Suite(.serialized, .enabled(if: isVirtualMachineRing, "runs in Scripts/test-vm, or with SWIFTLET_TEST_RING=vm"))
struct CgroupV2KernelVirtualMachineTests {
  private let it: CgroupBehaviour
  private let manager: CgroupV2Manager
  private let root = "/sys/fs/cgroup"

  init() throws {
    let top = CgroupBehaviour.uniqueName()
    let root = root
    manager = try CgroupV2Manager(host: HostServices(testing: { _, _ in }), configuration: ["owned": top])
    it = try CgroupBehaviour(
      backend: manager, top: top, processFiles: { ["\(root)/\($0)/cgroup.procs"] }, file: { "\(root)/\($1)/\($2)" })
  }

  // MARK: Shared behaviour

  @Test func createdCgroupHasItsLimits() throws {
    try it.createdCgroupHasItsLimits(
      CgroupResources(cpuShares: 1024, cpuQuota: 20_000, cpuPeriod: 50_000, memory: 64 << 20, pids: 99),
      [
        ("cpu", "cpu.weight", "39"), ("cpu", "cpu.max", "20000 50000"), ("memory", "memory.max", "67108864"),
        ("pids", "pids.max", "99"),
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
  @Test func pausedCgroupIsKilledAndResumed() throws { try killPaused() }
  // MARK: v2 only

  @Test func controllersReachThePodAndNotBelowIt() throws {
    try it.backend.create(it.pod, CgroupResources())
    let inPod = ControlText.words(Array(try readFile("\(root)/\(it.pod)/cgroup.controllers").utf8))
    for controller in ["cpu", "memory", "pids", "cpuset", "io"] { #expect(inPod.contains(controller)) }
    #expect(try readFile("\(root)/\(it.pod)/cgroup.subtree_control") == "")
  }

  @Test func aParentWithProcessesIsRefusedWithTheWayOut() throws {
    try it.backend.create(it.pod, CgroupResources())
    let child = try it.start(in: it.pod)
    let fault = try #require(throws: BackendFault.self) { try it.backend.create("\(it.pod)/container", CgroupResources()) }
    #expect(fault.status == .retry)
    #expect(fault.osErrno == EBUSY)
    #expect(fault.message.contains("1 processes are in this cgroup itself"))
    #expect(fault.message.contains("mkdir \(root)/\(it.pod)/init"))
    #expect(child.isRunning)
  }

  @Test func aThreadedParentIsRefusedWithItsType() throws {
    try it.backend.create(it.top, CgroupResources())
    try it.write("\(root)/\(it.top)/cgroup.type", "threaded")
    let fault = try #require(throws: BackendFault.self) { try it.backend.create("\(it.top)/pod", CgroupResources()) }
    #expect(fault.status == .unsupported)
    #expect(fault.message.hasSuffix("; its type is \"threaded\""))
  }

  @Test func aCgroupWithProcessesIsNotTurnedThreaded() throws {
    try it.backend.create(it.pod, CgroupResources())
    let child = try it.start(in: it.pod)
    #expect(throws: BackendFault.self) { try it.backend.create("\(it.pod)/container", CgroupResources()) }
    #expect(try readFile("\(root)/\(it.pod)/cgroup.type") == "domain")
    #expect(child.isRunning)
  }

  @Test func signalsKillTooWhereTheKernelHasNoKillFile() throws {
    manager.usesKillFile = false
    try it.forkBombStopsAtItsLimitAndIsKilled()
  }

  @Test func signalsKillAPausedCgroupToo() throws {
    manager.usesKillFile = false
    try killPaused()
  }

  @Test func probeAgreesWithWhatIsMounted() throws { try it.backend.probe() }

  private func killPaused() throws {
    try it.pausedCgroupIsKilledAndResumed(
      pause: { path in
        try it.write("\(root)/\(path)/cgroup.freeze", "1")
        try eventually("it is frozen") { try readFile("\(root)/\(path)/cgroup.events").contains("frozen 1") }
      },
      isPaused: { try readFile("\(root)/\($0)/cgroup.freeze") != "0" })
  }
}

let isVirtualMachineRing = getenv("SWIFTLET_TEST_RING").map { String(cString: $0) } == "vm"
