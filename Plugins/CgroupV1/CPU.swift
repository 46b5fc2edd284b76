import CgroupFiles
import Glibc
import PluginKit

/// The `cpu` controller, and `cpuacct` which counts what it hands out.
package enum CPUController {
  package static let controller = "cpu"
  package static let accounting = "cpuacct"

  /// - Parameter parent: of the cgroup, asked only to explain a refusal.
  package static func apply(
    _ resources: CgroupResources, to cgroup: borrowing ControlDirectory, parent: borrowing ControlDirectory
  ) throws(BackendFault) {
    if let shares = resources.cpuShares { try cgroup.put("cpu.shares", "\(shares)") }
    try applyBandwidth(resources, to: cgroup, parent: parent)
  }

  private static func applyBandwidth(
    _ resources: CgroupResources, to cgroup: borrowing ControlDirectory, parent: borrowing ControlDirectory
  ) throws(BackendFault) {
    guard resources.cpuQuota != nil || resources.cpuPeriod != nil else { return }
    let period = resources.cpuPeriod ?? CgroupResources.defaultPeriod
    let explanation = conflict(of: resources, period: period, with: parent)
    let explain: (Int32) -> String? = { code in code == EINVAL ? explanation : nil }
    guard let quota = resources.cpuQuota else {
      return try cgroup.put("cpu.cfs_period_us", "\(period)", explain: explain)
    }
    // Two files, one limit. The old quota over a new, shorter period may be more than the parent's share, and is refused;
    // with the new quota in place the same period is taken (runc meets this the same way).
    var periodIsSet = true
    do { try cgroup.write("cpu.cfs_period_us", "\(period)") } catch {
      guard error.osErrno == EINVAL else { throw error.fault() }
      periodIsSet = false
    }
    try cgroup.put("cpu.cfs_quota_us", quota == CgroupResources.unlimited ? "-1" : "\(quota)", explain: explain)
    if !periodIsSet { try cgroup.put("cpu.cfs_period_us", "\(period)", explain: explain) }
  }

  /// v1 refuses what v2 takes and ignores: a child's quota above its parent's, and a parent's below a child's.
  private static func conflict(
    of resources: CgroupResources, period: UInt64, with parent: borrowing ControlDirectory
  ) -> String {
    let wanted =
      switch resources.cpuQuota {
      case CgroupResources.unlimited?: "no quota"
      case let quota?: "\(quota) µs of each \(period) µs"
      case nil: "a period of \(period) µs"
      }
    let quota = (try? parent.read("cpu.cfs_quota_us")).map(ControlText.text) ?? "?"
    let above = (try? parent.read("cpu.cfs_period_us")).map(ControlText.text) ?? "?"
    return "cgroup v1 takes no quota above the parent's and none below a child's: wanted \(wanted), "
      + "\(parent.path) has quota \(quota) of period \(above); lower children first, raise parents first"
  }

  /// CPU time used, nanoseconds.
  package static func read(_ cgroup: borrowing ControlDirectory, into usage: inout CgroupUsage) throws(BackendFault) {
    usage.cpuNanoseconds = try cgroup.number("cpuacct.usage") ?? 0
  }
}
