/// Limits of one cgroup. `nil` leaves a value as it is; `CgroupResources.unlimited` lifts a limit.
public struct CgroupResources: Sendable, Equatable {
  public static let unlimited = UInt64.max

  /// 2 to 262144, as cgroup v1 counts.
  public var cpuShares: UInt64?
  /// Microseconds of CPU time per period.
  public var cpuQuota: UInt64?
  /// Microseconds, 1000 to 1000000.
  public var cpuPeriod: UInt64?
  /// Bytes.
  public var memory: UInt64?
  /// Processes and threads.
  public var pids: UInt64?

  public init(
    cpuShares: UInt64? = nil, cpuQuota: UInt64? = nil, cpuPeriod: UInt64? = nil, memory: UInt64? = nil, pids: UInt64? = nil
  ) {
    self.cpuShares = cpuShares
    self.cpuQuota = cpuQuota
    self.cpuPeriod = cpuPeriod
    self.memory = memory
    self.pids = pids
  }
}

/// Usage of one cgroup at the moment it was read.
public struct CgroupUsage: Sendable, Equatable {
  /// CPU time since the cgroup exists, nanoseconds.
  public var cpuNanoseconds: UInt64 = 0
  /// Charged bytes, page cache included.
  public var memory: UInt64 = 0
  /// Charged bytes less inactive file cache.
  public var workingSet: UInt64 = 0
  public var pids: UInt64 = 0
  public var oomKills: UInt64 = 0
  /// Bytes; `CgroupResources.unlimited` when there is none.
  public var memoryLimit: UInt64 = CgroupResources.unlimited

  public init() {}
}
