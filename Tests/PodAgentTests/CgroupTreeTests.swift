import KubeModel
import PodAgent
import Testing

/// kubelet's names and numbers.
@Suite struct CgroupTreeTests {
  private let tree = CgroupTree()

  private func container(_ requests: [String: String] = [:], limits: [String: String] = [:]) throws -> Container {
    Container(
      name: "main", image: "web:1",
      resources: ResourceRequirements(limits: try limits.mapValues(quantity), requests: try requests.mapValues(quantity)))
  }

  private func spec(_ containers: Container..., inits: [Container] = []) -> PodSpec {
    PodSpec(containers: containers, initContainers: inits)
  }

  // MARK: Quality of service

  @Test func withoutRequestsAndLimitsAPodIsBestEffort() throws {
    #expect(QOSClass(spec(try container())) == .bestEffort)
    #expect(QOSClass(spec(try container(["cpu": "0"], limits: ["memory": "0"]))) == .bestEffort)
    #expect(QOSClass(spec(try container(["ephemeral-storage": "1Gi"]))) == .bestEffort)
  }

  @Test func limitsForAllMakeItGuaranteed() throws {
    let full = ["cpu": "500m", "memory": "64Mi"]
    #expect(QOSClass(spec(try container(full, limits: full))) == .guaranteed)
    #expect(QOSClass(spec(try container(limits: full))) == .guaranteed)
    #expect(QOSClass(spec(try container(["cpu": "0.5", "memory": "65536Ki"], limits: full))) == .guaranteed)
  }

  @Test func anythingInBetweenIsBurstable() throws {
    let full = ["cpu": "500m", "memory": "64Mi"]
    #expect(QOSClass(spec(try container(["cpu": "100m"]))) == .burstable)
    #expect(QOSClass(spec(try container(["cpu": "100m", "memory": "64Mi"], limits: full))) == .burstable)
    #expect(QOSClass(spec(try container(limits: ["cpu": "1"]))) == .burstable)
    #expect(QOSClass(spec(try container(limits: full), try container())) == .burstable)
    #expect(QOSClass(spec(try container(limits: full), inits: [try container()])) == .burstable)
  }

  // MARK: Names

  @Test func pathsAreKubelets() {
    #expect(tree.fixed.map(\.path) == ["kubepods", "kubepods/burstable", "kubepods/besteffort"])
    #expect(tree.path(ofPod: "u", .guaranteed) == "kubepods/podu")
    #expect(tree.path(ofPod: "u", .burstable) == "kubepods/burstable/podu")
    #expect(tree.path(ofPod: "u", .bestEffort) == "kubepods/besteffort/podu")
    #expect(Set(tree.paths(ofPod: "u")) == ["kubepods/podu", "kubepods/burstable/podu", "kubepods/besteffort/podu"])
    #expect(CgroupTree(cgroupRoot: "/a//b/").root == "a/b/kubepods")
  }

  // MARK: Limits

  @Test func aBestEffortPodGetsTheLeastSharesAndNoLimit() throws {
    #expect(tree.limits(of: spec(try container())) == CgroupLimits(cpuShares: 2))
    #expect(CgroupTree(podPidsLimit: 100).limits(of: spec(try container())) == CgroupLimits(cpuShares: 2, pids: 100))
  }

  @Test func aGuaranteedPodGetsTheSumOfItsContainers() throws {
    let one = try container(limits: ["cpu": "250m", "memory": "100Mi"])
    #expect(
      tree.limits(of: spec(one, one)) == CgroupLimits(cpuShares: 512, cpuQuota: 50_000, cpuPeriod: 100_000, memory: 200 << 20))
  }

  @Test func aLimitThatOneContainerLacksIsNotSetForThePod() throws {
    let limits = tree.limits(of: spec(try container(limits: ["cpu": "1", "memory": "1Gi"]), try container(limits: ["cpu": "1"])))
    #expect(limits == CgroupLimits(cpuShares: 2048, cpuQuota: 200_000, cpuPeriod: 100_000))
  }

  @Test func theLargestInitContainerCountsWhereItNeedsMore() throws {
    let small = try container(["cpu": "100m"], limits: ["memory": "10Mi"])
    let big = try container(["cpu": "2"], limits: ["memory": "1Gi"])
    let limits = tree.limits(of: spec(small, small, inits: [big, small]))
    #expect(limits == CgroupLimits(cpuShares: 2048, memory: 1 << 30))
  }

  @Test func overheadIsAdded() throws {
    var pod = spec(try container(["cpu": "500m"]))
    pod.overhead = ["cpu": try quantity("500m")]
    #expect(tree.limits(of: pod).cpuShares == 1024)
  }

  @Test func quotasCanBeTurnedOff() throws {
    let pod = spec(try container(limits: ["cpu": "1", "memory": "1Gi"]))
    #expect(CgroupTree(enforcesCPUQuota: false).limits(of: pod) == CgroupLimits(cpuShares: 1024, memory: 1 << 30))
    #expect(CgroupTree(quotaPeriod: 10_000).limits(of: pod).cpuQuota == 10_000)
  }

  @Test func burstablePodsTogetherWeighTheirRequests() throws {
    let burstable = spec(try container(["cpu": "250m"]))
    let guaranteed = spec(try container(limits: ["cpu": "4", "memory": "1Gi"]))
    #expect(tree.burstableShares(of: [burstable, burstable, guaranteed, spec(try container())]) == 512)
    #expect(tree.burstableShares(of: []) == 2)
  }

  @Test(
    arguments: [(0, 2), (1, 2), (2, 2), (10, 10), (1000, 1024), (1500, 1536), (400_000, 262_144), (Int64.max, 262_144)] as [(Int64, UInt64)]
  )
  func sharesStayInTheKernelsRange(_ milli: Int64, _ shares: UInt64) {
    #expect(ResourceLimits.shares(milliCPU: milli) == shares)
  }

  @Test func aQuotaIsAtLeastOneMillisecond() {
    #expect(ResourceLimits.quota(milliCPU: 1, period: 100_000) == 1000)
    #expect(ResourceLimits.quota(milliCPU: 1500, period: 100_000) == 150_000)
    #expect(ResourceLimits.quota(milliCPU: Int64.max, period: UInt64.max) == UInt64.max)
  }

  @Test func whoTheKernelKillsFirst() {
    let capacity: Int64 = 4 << 30
    #expect(ResourceLimits.oomScoreAdjustment(.guaranteed, memoryRequest: 1 << 30, capacity: capacity) == -997)
    #expect(ResourceLimits.oomScoreAdjustment(.bestEffort, memoryRequest: 0, capacity: capacity) == 1000)
    #expect(ResourceLimits.oomScoreAdjustment(.burstable, memoryRequest: 1 << 30, capacity: capacity) == 750)
    #expect(ResourceLimits.oomScoreAdjustment(.burstable, memoryRequest: 0, capacity: capacity) == 999)
    #expect(ResourceLimits.oomScoreAdjustment(.burstable, memoryRequest: capacity, capacity: capacity) == 3)
    #expect(ResourceLimits.oomScoreAdjustment(.burstable, memoryRequest: Int64.max, capacity: capacity) == 3)
    #expect(ResourceLimits.oomScoreAdjustment(.burstable, memoryRequest: 1, capacity: 0) == 999)
  }
}
