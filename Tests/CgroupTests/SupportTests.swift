import CgroupFiles
import CgroupV1
import CgroupV2
import PluginKit
import Testing

/// What the two probes say about machines of all kinds: `auto` shows these lines to people.
@Suite struct SupportTests {
  private func mounts(_ lines: String) -> [MountEntry] { MountTable.parse(Array(lines.utf8)) }

  private let hybrid = """
    1 1 0:1 / /sys/fs/cgroup/unified rw - cgroup2 cgroup rw,nsdelegate
    2 1 0:2 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
    3 1 0:3 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
    4 1 0:4 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
    5 1 0:5 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
    """
  private let unified = "1 1 0:1 / /sys/fs/cgroup rw - cgroup2 cgroup rw,nsdelegate,memory_recursiveprot"
  private let allOn = Array("#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t1\t1\t1\nmemory\t2\t1\t1\npids\t3\t1\t1\n".utf8)
  private let memoryOff = Array("cpu\t1\t1\t1\nmemory\t0\t1\t0\npids\t3\t1\t1\n".utf8)

  private func v1(_ lines: String, kernel: [UInt8]? = nil) -> BackendFault? {
    let mounts = mounts(lines)
    return CgroupV1.Support.fault(Hierarchies.mounted(mounts), mounts: mounts, kernel: kernel ?? allOn)
  }

  private func v2(_ lines: String, _ controllers: String, nested: Bool = false) throws -> BackendFault? {
    let mounts = mounts(lines)
    let hierarchy = try #require(CgroupV2.Hierarchy.mounted(mounts))
    let root = CgroupV2.Support.Root(controllers: controllers.split(separator: " ").map(String.init), isNested: nested)
    return CgroupV2.Support.fault(hierarchy, root: root, mounts: mounts)
  }

  @Test func v1TakesTheHybridLayoutWithTheTrackingHierarchies() {
    #expect(v1(hybrid) == nil)
    let found = Hierarchies.mounted(mounts(hybrid)).all.map(\.controllers)
    #expect(found == [[""], ["name=systemd"], ["cpu", "cpuacct"], ["memory"], ["pids"]])
  }

  @Test func v1PrefersTheUsualPlaceAndTheWholeHierarchy() throws {
    let found = Hierarchies.mounted(
      mounts(
        """
        1 1 0:1 /docker/x /mnt/cpu rw - cgroup cgroup rw,cpu
        2 1 0:1 / /mnt/whole rw - cgroup cgroup rw,cpu
        3 1 0:1 /docker/x /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu
        """))
    #expect(try found.with("cpu").location == "/sys/fs/cgroup/cpu")
  }

  @Test func v1PointsToV2WhereOnlyThatIsMounted() {
    #expect(
      v1(unified)
        == BackendFault(
          .unsupported,
          "no cgroup v1 hierarchy with cpu, memory, pids is mounted, but cgroup v2 is at /sys/fs/cgroup: use "
            + "--cgroup-driver=cgroupv2, or boot with systemd.unified_cgroup_hierarchy=0"))
  }

  @Test func v1NamesTheBootParameterOfAControllerThatIsOff() throws {
    let fault = try #require(v1(hybrid.replacingMemory(with: "blkio"), kernel: memoryOff))
    #expect(fault.status == .unsupported)
    #expect(fault.message.contains("cgroup_enable=memory"))
    #expect(fault.message.contains("cmdline.txt"))
  }

  @Test func v1SaysHowToMountWhatIsMissing() throws {
    let fault = try #require(v1(hybrid.replacingMemory(with: "blkio")))
    #expect(fault.message.contains("mount -t cgroup -o memory cgroup /sys/fs/cgroup/memory"))
  }

  @Test func v1DoesNotWorkOnReadOnlyMounts() throws {
    let fault = try #require(v1(hybrid.replacingMemory(with: "memory", options: "ro")))
    #expect(fault.status == .denied)
    #expect(fault.message.contains("memory hierarchy at /sys/fs/cgroup/memory is mounted read-only"))
  }

  @Test func v2TakesTheUnifiedLayout() throws {
    #expect(try v2(unified, "cpuset cpu io memory hugetlb pids rdma misc") == nil)
    #expect(try v2(unified, "cpu memory pids", nested: true) == nil)
  }

  @Test func v2RefusesTheHybridLayoutWithTheBootParameter() throws {
    #expect(
      try v2(hybrid, "")
        == BackendFault(
          .unsupported,
          "cgroup v2 at /sys/fs/cgroup/unified has no cpu, memory, pids controller: cgroup v1 holds cpu, memory, pids; use "
            + "--cgroup-driver=cgroupv1, or boot with systemd.unified_cgroup_hierarchy=1 (with systemd) or cgroup_no_v1=all "
            + "(without)"))
  }

  @Test func v2NamesTheBootParameterOfAControllerThatIsOff() throws {
    let fault = try #require(try v2(unified, "cpuset cpu io pids"))
    #expect(fault.message.contains("has no memory controller"))
    #expect(fault.message.contains("cgroup_enable=memory"))
  }

  @Test func v2InAContainerPointsToDelegation() throws {
    let fault = try #require(try v2(unified, "memory pids", nested: true))
    #expect(fault.message.contains("does not hand it down to this container"))
  }

  @Test func v2DoesNotWorkOnAReadOnlyMount() throws {
    let fault = try #require(try v2("1 1 0:1 / /sys/fs/cgroup ro - cgroup2 cgroup rw", "cpu memory pids"))
    #expect(fault.status == .denied)
  }

  @Test func v2PrefersTheUsualPlace() {
    let found = CgroupV2.Hierarchy.mounted(
      mounts("1 1 0:1 / /mnt rw - cgroup2 c rw\n2 1 0:1 / /sys/fs/cgroup rw - cgroup2 c rw"))
    #expect(found?.directory.location == "/sys/fs/cgroup")
    #expect(CgroupV2.Hierarchy.mounted(mounts("1 1 0:1 / /sys rw - sysfs s rw")) == nil)
  }

  @Test func v2NotMountedSaysWhatToDo() {
    #expect(CgroupV2.Support.notMounted([]).message.contains("mount -t cgroup2 none /sys/fs/cgroup"))
    let legacy = hybrid.split(separator: "\n").dropFirst().joined(separator: "\n")
    #expect(CgroupV2.Support.notMounted(mounts(legacy)).message.contains("--cgroup-driver=cgroupv1"))
  }
}

extension String {
  /// The hybrid layout with its memory hierarchy changed.
  fileprivate func replacingMemory(with controller: String, options: String = "rw") -> String {
    split(separator: "\n").filter { !$0.hasSuffix("memory") }.joined(separator: "\n")
      + "\n4 1 0:4 / /sys/fs/cgroup/\(controller) \(options) - cgroup cgroup rw,\(controller)"
  }
}
