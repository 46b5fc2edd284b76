import KubeModel

/// Names and limits of kubelet's cgroup tree: kubepods, kubepods/burstable, kubepods/besteffort and one per pod.
public struct CgroupTree: Sendable {
  /// "kubepods", below `--cgroup-root` when one is given.
  public let root: String
  /// Processes and threads a pod may have; nil for no limit.
  public var podPidsLimit: UInt64?
  /// Whether CPU limits become quotas.
  public var enforcesCPUQuota: Bool
  /// Microseconds.
  public var quotaPeriod: UInt64

  public init(cgroupRoot: String = "/", podPidsLimit: UInt64? = nil, enforcesCPUQuota: Bool = true, quotaPeriod: UInt64 = 100_000) {
    let parents = cgroupRoot.split(separator: "/").joined(separator: "/")
    root = parents.isEmpty ? "kubepods" : "\(parents)/kubepods"
    self.podPidsLimit = podPidsLimit
    self.enforcesCPUQuota = enforcesCPUQuota
    self.quotaPeriod = quotaPeriod
  }

  /// Parent of the burstable pods' cgroups.
  public var burstable: String { "\(root)/burstable" }

  /// The cgroups that exist whatever runs, parents first. Best effort gets the least CPU there is, as upstream; burstable
  /// gets it until pods ask for more.
  public var fixed: [(path: String, limits: CgroupLimits)] {
    [
      (root, CgroupLimits()),
      (burstable, CgroupLimits(cpuShares: ResourceLimits.leastShares)),
      ("\(root)/besteffort", CgroupLimits(cpuShares: ResourceLimits.leastShares)),
    ]
  }

  public func path(ofPod uid: String, _ qos: QOSClass) -> String {
    switch qos {
    case .guaranteed: "\(root)/pod\(uid)"
    case .burstable: "\(root)/burstable/pod\(uid)"
    case .bestEffort: "\(root)/besteffort/pod\(uid)"
    }
  }

  /// Every place a pod's cgroup can stand, for clean-up by UID alone.
  public func paths(ofPod uid: String) -> [String] {
    [QOSClass.guaranteed, .burstable, .bestEffort].map { path(ofPod: uid, $0) }
  }

  /// The pod's own limits: sums over its containers, or the largest init container where that is more. A limit is set only
  /// when every container has one, else one container without would be held to the others' sum.
  public func limits(of spec: PodSpec) -> CgroupLimits {
    var limits = CgroupLimits(pids: podPidsLimit)
    if QOSClass(spec) == .bestEffort {
      limits.cpuShares = ResourceLimits.leastShares
      return limits
    }
    let cpuRequest = total("cpu", of: spec) { $0.requests["cpu"] ?? $0.limits["cpu"] }
    limits.cpuShares = ResourceLimits.shares(milliCPU: cpuRequest?.milliValue() ?? 0)
    if enforcesCPUQuota, everyContainer(of: spec, limits: "cpu"), let cpu = total("cpu", of: spec, { $0.limits["cpu"] }) {
      limits.cpuPeriod = quotaPeriod
      limits.cpuQuota = ResourceLimits.quota(milliCPU: cpu.milliValue(), period: quotaPeriod)
    }
    if everyContainer(of: spec, limits: "memory"), let memory = total("memory", of: spec, { $0.limits["memory"] }) {
      limits.memory = UInt64(clamping: memory.value())
    }
    return limits
  }

  /// The weight of all burstable pods together: the sum of their CPU requests.
  public func burstableShares(of specs: [PodSpec]) -> UInt64 {
    let requests = specs.filter { QOSClass($0) == .burstable }.compactMap { spec in
      total("cpu", of: spec) { $0.requests["cpu"] ?? $0.limits["cpu"] }
    }
    return ResourceLimits.shares(milliCPU: requests.reduce(.zero, +).milliValue())
  }

  private func everyContainer(of spec: PodSpec, limits resource: String) -> Bool {
    (spec.containers + spec.initContainers).allSatisfy { container in
      container.resources.limits[resource].map { !$0.isZero } ?? false
    }
  }

  private func total(_ resource: String, of spec: PodSpec, _ amount: (ResourceRequirements) -> Quantity?) -> Quantity? {
    let together = spec.containers.compactMap { amount($0.resources) }.reduce(nil as Quantity?) { ($0 ?? .zero) + $1 }
    let largestInit = spec.initContainers.compactMap { amount($0.resources) }.max()
    guard let base = [together, largestInit].compactMap({ $0 }).max() else { return nil }
    return base + (spec.overhead[resource] ?? .zero)
  }
}

/// Conversions upstream and the runtimes agree on.
public enum ResourceLimits {
  /// MinShares of the kernel's scheduler.
  public static let leastShares: UInt64 = 2
  public static let mostShares: UInt64 = 262_144
  /// The kernel refuses a quota below one millisecond.
  public static let leastQuota: UInt64 = 1000

  /// One CPU is 1024 shares.
  public static func shares(milliCPU: Int64) -> UInt64 {
    min(max(scaled(milliCPU, by: 1024), leastShares), mostShares)
  }

  /// Microseconds per `period` microseconds.
  public static func quota(milliCPU: Int64, period: UInt64) -> UInt64 {
    max(scaled(milliCPU, by: period), leastQuota)
  }

  /// Wide, because a manifest may ask for any number of CPUs.
  private static func scaled(_ milliCPU: Int64, by factor: UInt64) -> UInt64 {
    UInt64(clamping: UInt128(UInt64(clamping: milliCPU)) * UInt128(factor) / 1000)
  }

  /// Who the kernel kills first when memory runs out, as upstream: guaranteed pods last, best effort first, others by the
  /// part of the node's memory they asked for.
  /// - Parameter capacity: bytes of memory of the node.
  public static func oomScoreAdjustment(_ qos: QOSClass, memoryRequest: Int64, capacity: Int64) -> Int64 {
    switch qos {
    case .guaranteed: return -997
    case .bestEffort: return 1000
    case .burstable:
      guard capacity > 0 else { return 999 }
      let adjustment = 1000 - (1000 * Int128(memoryRequest)) / Int128(capacity)
      return Int64(min(max(adjustment, 3), 999))
    }
  }
}
