import CgroupFiles
import CgroupV1
import Glibc
import PluginKit
import Testing

/// The v1 backend over directories of regular files.
@Suite final class CgroupV1ControllerTests {
  /// Kept until the test is over.
  private var trees: [FileTree] = []

  /// A hierarchy per controller with `pod` and its files, as Linux 4.13 to 6.x shows them.
  private func tree(_ changes: [String: String] = [:]) throws -> FileTree {
    let files = [
      "cpu,cpuacct/pod/cgroup.procs": "", "cpu,cpuacct/pod/cpu.shares": "1024\n",
      "cpu,cpuacct/pod/cpu.cfs_quota_us": "-1\n", "cpu,cpuacct/pod/cpu.cfs_period_us": "100000\n",
      "cpu,cpuacct/pod/cpuacct.usage": "123456789\n",
      "memory/pod/cgroup.procs": "", "memory/pod/memory.limit_in_bytes": "9223372036854771712\n",
      "memory/pod/memory.memsw.limit_in_bytes": "9223372036854771712\n", "memory/pod/memory.usage_in_bytes": "5000\n",
      "memory/pod/memory.stat": "cache 1\ninactive_file 1\nhierarchical_memory_limit 8192\ntotal_inactive_file 1000\n",
      "memory/pod/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
      "memory/pod/memory.use_hierarchy": "1\n",
      "memory/pod/container/cgroup.procs": "", "memory/pod/container/memory.oom_control": "oom_kill 3\n",
      "pids/pod/cgroup.procs": "", "pids/pod/pids.max": "max\n", "pids/pod/pids.current": "7\n",
    ]
    let tree = try FileTree(files.merging(changes) { $1 })
    trees.append(tree)
    return tree
  }

  private func manager(_ tree: FileTree) throws -> CgroupV1Manager {
    let manager = try CgroupV1Manager(host: HostServices(testing: { _, _ in }), configuration: ["mount": tree.path])
    try manager.start()
    return manager
  }

  @Test func limitsGoToTheirFiles() throws {
    let tree = try tree()
    try manager(tree).set("pod", CgroupResources(cpuShares: 512, cpuQuota: 50_000, cpuPeriod: 20_000, memory: 4096, pids: 10))
    #expect(try tree.read("cpu,cpuacct/pod/cpu.shares") == "512")
    #expect(try tree.read("cpu,cpuacct/pod/cpu.cfs_quota_us") == "50000")
    #expect(try tree.read("cpu,cpuacct/pod/cpu.cfs_period_us") == "20000")
    #expect(try tree.read("memory/pod/memory.limit_in_bytes") == "4096")
    #expect(try tree.read("pids/pod/pids.max") == "10")
  }

  @Test func whatIsNotNamedStaysAsItIs() throws {
    let tree = try tree()
    try manager(tree).set("pod", CgroupResources())
    #expect(try tree.read("cpu,cpuacct/pod/cpu.shares") == "1024")
    #expect(try tree.read("memory/pod/memory.limit_in_bytes") == "9223372036854771712")
    #expect(try tree.read("pids/pod/pids.max") == "max")
  }

  @Test func quotaWithoutPeriodMeansTheDefaultPeriod() throws {
    let tree = try tree(["cpu,cpuacct/pod/cpu.cfs_period_us": "5000\n"])
    try manager(tree).set("pod", CgroupResources(cpuQuota: 2000))
    #expect(try tree.read("cpu,cpuacct/pod/cpu.cfs_period_us") == "100000")
  }

  @Test func liftedLimitsAreWrittenAsV1SaysIt() throws {
    let tree = try tree(["memory/pod/memory.memsw.limit_in_bytes": "8192\n"])
    try manager(tree).set("pod", CgroupResources(cpuQuota: .max, memory: .max, pids: .max))
    #expect(try tree.read("cpu,cpuacct/pod/cpu.cfs_quota_us") == "-1")
    #expect(try tree.read("memory/pod/memory.limit_in_bytes") == "-1")
    #expect(try tree.read("memory/pod/memory.memsw.limit_in_bytes") == "-1")
    #expect(try tree.read("pids/pod/pids.max") == "max")
  }

  @Test func aPidsLimitAboveTheKernelsNumbersIsNone() throws {
    let tree = try tree()
    try manager(tree).set("pod", CgroupResources(pids: 4_194_305))
    #expect(try tree.read("pids/pod/pids.max") == "max")
    try manager(tree).set("pod", CgroupResources(pids: 4_194_304))
    #expect(try tree.read("pids/pod/pids.max") == "4194304")
  }

  @Test func memoryAndSwapRisesBeforeMemoryAndIsNeverLowered() throws {
    let tree = try tree(["memory/pod/memory.memsw.limit_in_bytes": "8192\n"])
    try manager(tree).set("pod", CgroupResources(memory: 16384))
    #expect(try tree.read("memory/pod/memory.memsw.limit_in_bytes") == "16384")
    try manager(tree).set("pod", CgroupResources(memory: 4096))
    #expect(try tree.read("memory/pod/memory.memsw.limit_in_bytes") == "16384")
  }

  @Test func usageIsPutTogetherFromAllHierarchies() throws {
    let usage = try manager(try tree()).usage("pod")
    #expect(usage.cpuNanoseconds == 123_456_789)
    #expect(usage.memory == 5000)
    #expect(usage.workingSet == 4000)
    #expect(usage.pids == 7)
    #expect(usage.memoryLimit == 8192)
    #expect(usage.oomKills == 5, "v1 counts kills in each cgroup alone, so those below are added")
  }

  @Test func moreInactiveCacheThanMemoryIsNoNegativeWorkingSet() throws {
    let tree = try tree(["memory/pod/memory.stat": "total_inactive_file 6000\n"])
    #expect(try manager(tree).usage("pod").workingSet == 0)
  }

  @Test func anOlderKernelsFilesAreEnough() throws {
    let tree = try tree([
      "memory/pod/memory.stat": "cache 1\n", "memory/pod/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\n",
      "memory/pod/container/memory.oom_control": "oom_kill_disable 0\n",
    ])
    let usage = try manager(tree).usage("pod")
    #expect(usage.oomKills == 0)
    #expect(usage.workingSet == 5000)
    #expect(usage.memoryLimit == CgroupResources.unlimited)
  }

  @Test(arguments: [
    "cpu,cpuacct/pod/cpuacct.usage", "memory/pod/memory.usage_in_bytes", "pids/pod/pids.current", "memory/pod/memory.stat",
    "memory/pod/memory.oom_control",
  ])
  func garbageInAFileIsAnErrorThatNamesIt(_ file: String) throws {
    let tree = try tree([file: ""])
    let fault = try #require(throws: BackendFault.self) { _ = try manager(tree).usage("pod") }
    #expect(fault.status == .internal)
    #expect(fault.message.contains("\(tree.path)/\(file)"))
  }

  @Test func hugeNumbersAreTaken() throws {
    let tree = try tree([
      "cpu,cpuacct/pod/cpuacct.usage": "18446744073709551615\n", "memory/pod/memory.oom_control": "oom_kill 18446744073709551615\n",
    ])
    #expect(try manager(tree).usage("pod").cpuNanoseconds == UInt64.max)
  }

  @Test func aCgroupMissingInOneHierarchyIsNotFound() throws {
    let tree = try tree()
    rename("\(tree.path)/pids/pod", "\(tree.path)/pids/elsewhere")
    let manager = try manager(tree)
    for call: () throws -> Void in [
      { _ = try manager.usage("pod") }, { try manager.set("pod", CgroupResources(cpuShares: 2)) },
    ] {
      let fault = try #require(throws: BackendFault.self) { try call() }
      #expect(fault.status == .notFound)
    }
    #expect(try tree.read("cpu,cpuacct/pod/cpu.shares") == "1024", "nothing was changed")
  }

  @Test func creationInheritsCpusAndMemoryNodes() throws {
    let tree = try tree([
      "cpuset/cpuset.cpus": "0-3\n", "cpuset/cpuset.mems": "0\n", "cpuset/pod/cpuset.cpus": "\n", "cpuset/pod/cpuset.mems": "",
      "cpuset/pod/cgroup.procs": "",
    ])
    try manager(tree).create("pod", CgroupResources())
    #expect(try tree.read("cpuset/pod/cpuset.cpus") == "0-3")
    #expect(try tree.read("cpuset/pod/cpuset.mems") == "0")
  }

  @Test func chosenCpusStayAsTheyAre() throws {
    let tree = try tree([
      "cpuset/cpuset.cpus": "0-3\n", "cpuset/cpuset.mems": "0\n", "cpuset/pod/cpuset.cpus": "2\n",
      "cpuset/pod/cpuset.mems": "0\n", "cpuset/pod/cgroup.procs": "",
    ])
    try manager(tree).create("pod", CgroupResources())
    #expect(try tree.read("cpuset/pod/cpuset.cpus") == "2")
  }

  @Test func anEmptyParentCpusetIsExplained() throws {
    let tree = try tree(["cpuset/cpuset.cpus": "\n", "cpuset/pod/cpuset.cpus": "\n", "cpuset/pod/cgroup.procs": ""])
    let fault = try #require(throws: BackendFault.self) { try manager(tree).create("pod", CgroupResources()) }
    #expect(fault.message.contains("can inherit nothing to run on"))
  }

  @Test func creationGoesIntoEveryHierarchy() throws {
    let tree = try tree(["systemd/cgroup.procs": "", "unified/cgroup.procs": "", "freezer/cgroup.procs": ""])
    try manager(tree).create("pod", CgroupResources())
    for hierarchy in ["systemd", "unified", "freezer"] {
      #expect(try tree.directory(hierarchy).subdirectories() == ["pod"])
    }
  }

  @Test func nothingIsMadeForLimitsThatMakeNoSense() throws {
    let tree = try tree()
    #expect(throws: BackendFault.self) { try manager(tree).create("new", CgroupResources(cpuShares: 1)) }
    #expect(try tree.directory("memory").subdirectories() == ["pod"])
  }

  @Test func childrenOfAllHierarchiesAreNamedOnce() throws {
    let tree = try tree(["pids/pod/other/cgroup.procs": "", "pids/pod/container/cgroup.procs": ""])
    var children: [String] = []
    try manager(tree).children("pod") { children.append($0) }
    #expect(children == ["pod/container", "pod/other"])
  }
}
