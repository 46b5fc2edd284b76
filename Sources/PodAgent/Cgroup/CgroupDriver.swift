/// What the pod agent drives: something that turns cgroup paths and limits into files of the mounted hierarchy.
///
/// Implemented by `PluginHost` over a loaded library, and by fakes in tests. Paths are below the root of the hierarchy,
/// without a slash in front: "kubepods/burstable/pod…".
public protocol CgroupDriver: Sendable {
  var name: String { get }

  func start() async throws(CgroupError)
  /// Creates the cgroup with missing parents and sets the limits; an existing one only gets the limits.
  func create(_ path: String, _ limits: CgroupLimits) async throws(CgroupError)
  func set(_ path: String, _ limits: CgroupLimits) async throws(CgroupError)
  func usage(_ path: String) async throws(CgroupError) -> CgroupStatistics
  /// Every process in the cgroup and below.
  func processes(_ path: String) async throws(CgroupError) -> [Int32]
  /// SIGKILLs until none is left. A cgroup that is gone is success.
  func kill(_ path: String) async throws(CgroupError)
  /// Removes the cgroup and those below it. A cgroup that is gone is success.
  func remove(_ path: String) async throws(CgroupError)
  /// Paths of the cgroups directly below.
  func children(_ path: String) async throws(CgroupError) -> [String]
  func stop() async
  /// Removes every cgroup of ours; returns what was removed.
  func cleanup() async throws(CgroupError) -> [String]
  func ownedObjects() async throws(CgroupError) -> [String]
}

/// Why a cgroup call failed, with the path and the kernel's words.
public struct CgroupError: Error, Sendable, CustomStringConvertible {
  public enum Code: Sendable { case notFound, retry, hung, failed }

  public var code: Code
  public var operation: String
  public var message: String
  /// 0: none.
  public var osErrno: Int32

  public init(code: Code, operation: String, message: String, osErrno: Int32 = 0) {
    self.code = code
    self.operation = operation
    self.message = message
    self.osErrno = osErrno
  }

  public var description: String {
    osErrno == 0 ? "\(operation): \(message)" : "\(operation): \(message) (errno \(osErrno))"
  }
}

/// Limits of one cgroup. `nil` leaves a value as it is, `unlimited` lifts it.
public struct CgroupLimits: Sendable, Equatable {
  public static let unlimited = UInt64.max

  /// 2 to 262144, as cgroup v1 counts.
  public var cpuShares: UInt64?
  /// Microseconds of CPU time per period.
  public var cpuQuota: UInt64?
  /// Microseconds.
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

/// What one cgroup uses now.
public struct CgroupStatistics: Sendable, Equatable {
  public var cpuNanoseconds: UInt64
  public var memory: UInt64
  public var workingSet: UInt64
  public var pids: UInt64
  public var oomKills: UInt64
  /// `nil`: none.
  public var memoryLimit: UInt64?

  public init(
    cpuNanoseconds: UInt64 = 0, memory: UInt64 = 0, workingSet: UInt64 = 0, pids: UInt64 = 0, oomKills: UInt64 = 0,
    memoryLimit: UInt64? = nil
  ) {
    self.cpuNanoseconds = cpuNanoseconds
    self.memory = memory
    self.workingSet = workingSet
    self.pids = pids
    self.oomKills = oomKills
    self.memoryLimit = memoryLimit
  }
}
