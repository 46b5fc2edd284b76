import CgroupFiles
import PluginKit

/// The `cpu` controller.
package enum CPUController {
  package static let controller = "cpu"

  package static func apply(_ resources: CgroupResources, to cgroup: borrowing ControlDirectory) throws(BackendFault) {
    if let shares = resources.cpuShares { try cgroup.put("cpu.weight", "\(weight(shares: shares))") }
    guard resources.cpuQuota != nil || resources.cpuPeriod != nil else { return }
    let quota: String
    switch resources.cpuQuota {
    case CgroupResources.unlimited?: quota = "max"
    case let wanted?: quota = "\(wanted)"
    case nil: quota = ControlText.words(try cgroup.contents("cpu.max") ?? []).first ?? "max"
    }
    try cgroup.put("cpu.max", "\(quota) \(resources.cpuPeriod ?? CgroupResources.defaultPeriod)")
  }

  /// 2…262144 of v1 onto 1…10000 of v2, in a straight line as runc 1.0 to 1.3, crun before 1.23 and kubelet did. (Newer
  /// runtimes bend the line to put 1024 on 100; weights count only among siblings, and the siblings here are all ours.)
  package static func weight(shares: UInt64) -> UInt64 {
    1 + (min(max(shares, 2), 262_144) - 2) * 9999 / 262_142
  }

  /// CPU time used; the kernel counts it in microseconds, with or without the controller.
  package static func read(_ cgroup: borrowing ControlDirectory, into usage: inout CgroupUsage) throws(BackendFault) {
    let microseconds = try cgroup.number("cpu.stat", key: "usage_usec") ?? 0
    let (nanoseconds, overflow) = microseconds.multipliedReportingOverflow(by: 1000)
    usage.cpuNanoseconds = overflow ? UInt64.max : nanoseconds
  }
}
