import CgroupFiles
import CgroupV2
import Glibc
import PluginKit
import Testing

/// The v2 backend over a directory of regular files.
@Suite final class CgroupV2ControllerTests {
  /// Kept until the test is over.
  private var trees: [FileTree] = []

  private func tree(_ changes: [String: String] = [:]) throws -> FileTree {
    let files = [
      "cgroup.procs": "1\n", "cgroup.controllers": "cpuset cpu io memory hugetlb pids rdma misc\n",
      "cgroup.subtree_control": "cpuset cpu io memory hugetlb pids\n",
      "pod/cgroup.procs": "", "pod/cgroup.controllers": "cpuset cpu io memory hugetlb pids\n",
      "pod/cgroup.subtree_control": "\n", "pod/cgroup.events": "populated 0\nfrozen 0\n", "pod/cpu.weight": "100\n",
      "pod/cpu.max": "max 100000\n", "pod/cpu.stat": "usage_usec 123456\nuser_usec 1\nsystem_usec 2\n",
      "pod/memory.max": "max\n", "pod/memory.current": "5000\n", "pod/memory.stat": "anon 1\ninactive_file 1000\n",
      "pod/memory.events": "low 0\noom 4\noom_kill 3\noom_group_kill 0\n", "pod/pids.max": "max\n", "pod/pids.current": "7\n",
    ]
    let tree = try FileTree(files.merging(changes) { $1 })
    trees.append(tree)
    return tree
  }

  private func manager(_ tree: FileTree) throws -> CgroupV2Manager {
    let manager = try CgroupV2Manager(host: HostServices(testing: { _, _ in }), configuration: ["mount": tree.path])
    try manager.start()
    return manager
  }

  @Test(arguments: [(2, 1), (3, 1), (1024, 39), (102, 4), (512, 20), (262_144, 10_000)] as [(UInt64, UInt64)])
  func sharesBecomeWeightsInAStraightLine(shares: UInt64, weight: UInt64) {
    #expect(CgroupV2.CPUController.weight(shares: shares) == weight)
  }

  @Test func limitsGoToTheirFiles() throws {
    let tree = try tree()
    try manager(tree).set("pod", CgroupResources(cpuShares: 1024, cpuQuota: 50_000, cpuPeriod: 20_000, memory: 4096, pids: 10))
    #expect(try tree.read("pod/cpu.weight") == "39")
    #expect(try tree.read("pod/cpu.max") == "50000 20000")
    #expect(try tree.read("pod/memory.max") == "4096")
    #expect(try tree.read("pod/pids.max") == "10")
  }

  @Test func whatIsNotNamedStaysAsItIs() throws {
    let tree = try tree()
    try manager(tree).set("pod", CgroupResources())
    #expect(try tree.read("pod/cpu.weight") == "100")
    #expect(try tree.read("pod/cpu.max") == "max 100000")
    #expect(try tree.read("pod/memory.max") == "max")
  }

  @Test func quotaAndPeriodKeepEachOther() throws {
    let tree = try tree(["pod/cpu.max": "30000 50000\n"])
    try manager(tree).set("pod", CgroupResources(cpuPeriod: 40_000))
    #expect(try tree.read("pod/cpu.max") == "30000 40000")
    try manager(tree).set("pod", CgroupResources(cpuQuota: 2000))
    #expect(try tree.read("pod/cpu.max") == "2000 100000")
  }

  @Test func liftedLimitsAreWrittenAsV2SaysIt() throws {
    let tree = try tree()
    try manager(tree).set("pod", CgroupResources(cpuQuota: .max, memory: .max, pids: .max))
    #expect(try tree.read("pod/cpu.max") == "max 100000")
    #expect(try tree.read("pod/memory.max") == "max")
    #expect(try tree.read("pod/pids.max") == "max")
  }

  @Test func usageIsRead() throws {
    let usage = try manager(try tree()).usage("pod")
    #expect(usage.cpuNanoseconds == 123_456_000)
    #expect(usage.memory == 5000)
    #expect(usage.workingSet == 4000)
    #expect(usage.pids == 7)
    #expect(usage.oomKills == 3)
    #expect(usage.memoryLimit == CgroupResources.unlimited)
  }

  @Test func theLimitInForceIsTheLeastOnTheWayUp() throws {
    let tree = try tree([
      "memory.max": "9000\n", "pod/memory.max": "4096\n", "pod/c/memory.max": "8192\n", "pod/c/cgroup.procs": "",
    ])
    #expect(try manager(tree).usage("pod/c").memoryLimit == 4096)
  }

  @Test func controllersThatAreNotHandedDownCountNothing() throws {
    let tree = try tree(["bare/cgroup.procs": "", "bare/cpu.stat": "usage_usec 5\n"])
    let usage = try manager(tree).usage("bare")
    #expect(usage.cpuNanoseconds == 5000)
    #expect(usage.memory == 0)
    #expect(usage.pids == 0)
    #expect(usage.memoryLimit == CgroupResources.unlimited)
  }

  @Test func aLimitWithoutItsControllerIsUnsupported() throws {
    let tree = try tree(["bare/cgroup.procs": ""])
    let fault = try #require(throws: BackendFault.self) { try manager(tree).set("bare", CgroupResources(memory: 4096)) }
    #expect(fault.status == .unsupported)
  }

  @Test(arguments: ["pod/cpu.stat", "pod/memory.current", "pod/memory.stat", "pod/memory.events", "pod/pids.current", "pod/memory.max"])
  func garbageInAFileIsAnErrorThatNamesIt(_ file: String) throws {
    let tree = try tree([file: ""])
    let fault = try #require(throws: BackendFault.self) { _ = try manager(tree).usage("pod") }
    #expect(fault.status == .internal)
    #expect(fault.message.contains("\(tree.path)/\(file)"))
  }

  @Test func cpuTimeBeyondTheRangeIsTheLargestNumber() throws {
    let tree = try tree(["pod/cpu.stat": "usage_usec 18446744073709551615\n"])
    #expect(try manager(tree).usage("pod").cpuNanoseconds == UInt64.max)
  }

  @Test func creationHandsDownWhatIsThereAndNotYetHandedDown() throws {
    let tree = try tree(["cgroup.controllers": "cpu memory pids io misc\n", "cgroup.subtree_control": "cpu\n"])
    try manager(tree).create("pod", CgroupResources())
    #expect(try tree.read("cgroup.subtree_control") == "+memory +pids +io")
    #expect(try tree.read("pod/cgroup.subtree_control") == "", "the pod's own is left to the runtime")
  }

  @Test func aParentWithoutAControllerIsNamed() throws {
    let tree = try tree(["pod/cgroup.controllers": "cpu pids\n", "pod/c/cgroup.procs": ""])
    let fault = try #require(throws: BackendFault.self) { try manager(tree).create("pod/c", CgroupResources()) }
    #expect(fault.message == "\(tree.path)/pod has no memory controller to hand down: cgroup.controllers has \"cpu pids\"")
  }

  @Test func killingAnEmptyCgroupTouchesNothing() throws {
    let tree = try tree(["pod/cgroup.kill": ""])
    try manager(tree).kill("pod")
    #expect(try tree.read("pod/cgroup.kill") == "")
  }

  @Test func processesThatStayAreNamedAfterTheWait() throws {
    let tree = try tree(["pod/cgroup.kill": "", "pod/cgroup.events": "populated 1\n", "pod/cgroup.procs": "4194303\n"])
    let manager = try manager(tree)
    manager.killPatience = .zero
    let fault = try #require(throws: BackendFault.self) { try manager.kill("pod") }
    #expect(fault.status == .retry)
    #expect(fault.message == "\(tree.path)/pod still has 1 processes: 4194303")
    #expect(try tree.read("pod/cgroup.kill") == "1")
  }

  @Test func theAgentIsNotKilledByItself() throws {
    let tree = try tree(["pod/cgroup.kill": "", "pod/cgroup.events": "populated 1\n", "pod/cgroup.procs": "\(getpid())\n"])
    let fault = try #require(throws: BackendFault.self) { try manager(tree).kill("pod") }
    #expect(fault.status == .denied)
    #expect(try tree.read("pod/cgroup.kill") == "")
  }
}
