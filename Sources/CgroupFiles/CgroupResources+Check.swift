import PluginKit

extension CgroupResources {
  /// The kernel's default period.
  package static let defaultPeriod: UInt64 = 100_000
  /// The highest pids limit the kernel takes as a number (PID_MAX_LIMIT); above it a limit limits nothing.
  package static let highestPids: UInt64 = 4_194_304

  /// Refuses what no kernel takes, so that nothing is made for it.
  package func check() throws(BackendFault) {
    if let cpuShares, !(2...262_144).contains(cpuShares) {
      throw BackendFault(.invalid, "cpu shares \(cpuShares): not within 2 and 262144")
    }
    if let cpuQuota, cpuQuota < 1000 {
      throw BackendFault(.invalid, "cpu quota \(cpuQuota) µs: below the kernel's least of 1000 µs")
    }
    if let cpuPeriod, !(1000...1_000_000).contains(cpuPeriod) {
      throw BackendFault(.invalid, "cpu period \(cpuPeriod) µs: not within 1000 and 1000000")
    }
  }
}
