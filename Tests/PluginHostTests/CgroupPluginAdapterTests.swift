import PluginHost
import PodAgent
import Testing

@Suite struct CgroupPluginAdapterTests {
  private func withDriver(_ body: (CgroupPluginAdapter) async throws -> Void) async throws {
    try await withPlugin("good_cgroup", kind: .cgroup) { plugin in
      let driver = try #require(CgroupPluginAdapter(plugin))
      try await driver.start()
      try await body(driver)
    }
  }

  @Test func limitsArriveAndWhatIsNotSetIsZero() async throws {
    try await withDriver { driver in
      try await driver.create("kubepods/pod1", CgroupLimits(cpuShares: 2, memory: .max))
      try await driver.set("kubepods", CgroupLimits(cpuQuota: 50000, cpuPeriod: 100_000, pids: 7))
      #expect(
        try await driver.ownedObjects() == [
          "kubepods/pod1 shares=2 quota=0 period=0 memory=18446744073709551615 pids=0 size=48",
          "kubepods shares=0 quota=50000 period=100000 memory=0 pids=7 size=48",
        ])
      #expect(try await driver.cleanup().count == 2)
    }
  }

  @Test func usageProcessesAndChildrenComeBack() async throws {
    try await withDriver { driver in
      let usage = try await driver.usage("kubepods")
      #expect(usage == CgroupStatistics(cpuNanoseconds: 1, memory: 2, workingSet: 3, pids: 4, oomKills: 5, memoryLimit: nil))
      #expect(try await driver.processes("kubepods") == [1, 4711])
      #expect(try await driver.children("kubepods") == ["kubepods"])
    }
  }

  @Test func failuresCarryCodePathAndTheKernelsWords() async throws {
    try await withDriver { driver in
      let gone = await #expect(throws: CgroupError.self) { try await driver.usage("gone") }
      #expect(gone?.code == .notFound)
      #expect(gone?.description == "good_cgroup: usage gone: not found")
      let kill = await #expect(throws: CgroupError.self) { try await driver.kill("pod1") }
      #expect(kill?.code == .retry)
      #expect(kill?.description == "good_cgroup: kill pod1: two processes are left")
      let remove = await #expect(throws: CgroupError.self) { try await driver.remove("pod1") }
      #expect(remove?.code == .failed)
      #expect(remove?.description == "good_cgroup: remove pod1: rmdir: Device or resource busy (errno 16)")
    }
  }
}
