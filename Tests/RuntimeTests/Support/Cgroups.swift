import Glibc

/// Reads the cgroup files of the machine, whichever version it has mounted.
enum Cgroups {
  static let root = "/sys/fs/cgroup"

  /// Version 2 alone; else each controller of version 1 has a hierarchy of its own.
  static let isUnified = TestFiles.exists("\(root)/cgroup.controllers")

  /// Where a cgroup is in the hierarchy of a controller.
  static func directory(_ controller: String, _ path: String) -> String {
    isUnified ? "\(root)/\(path)" : "\(root)/\(controller)/\(path)"
  }

  /// The hierarchies a cgroup can be in; beside those of version 1 also the empty one of version 2, where runc makes them too.
  static var hierarchies: [String] {
    isUnified ? [root] : TestFiles.list(root).map { "\(root)/\($0)" }
  }

  static func exists(_ path: String) -> Bool { hierarchies.contains { TestFiles.exists("\($0)/\(path)") } }

  /// Cgroups directly below, by name.
  static func children(_ path: String) -> [String] {
    let directory = directory("memory", path)
    return TestFiles.list(directory).filter { TestFiles.exists("\(directory)/\($0)/cgroup.procs") }
  }

  static func cpuShares(_ path: String) -> String? {
    value("cpu", path, "cpu.shares", "cpu.weight")
  }

  /// What the file of `cpuShares` holds for this many shares.
  static func written(shares: Int) -> String {
    isUnified ? "\(1 + (shares - 2) * 9999 / 262_142)" : "\(shares)"
  }

  /// "50000 100000": quota and period in microseconds.
  static func cpuQuota(_ path: String) -> String? {
    if isUnified { return value("cpu", path, "", "cpu.max") }
    guard let quota = value("cpu", path, "cpu.cfs_quota_us", ""), let period = value("cpu", path, "cpu.cfs_period_us", "") else {
      return nil
    }
    return "\(quota) \(period)"
  }

  static func memoryLimit(_ path: String) -> String? { value("memory", path, "memory.limit_in_bytes", "memory.max") }

  static func pidsLimit(_ path: String) -> String? { value("pids", path, "pids.max", "pids.max") }

  /// Processes of the cgroup itself, those below not counted.
  static func processes(_ path: String) -> Set<pid_t> {
    let text = TestFiles.read("\(directory("memory", path))/cgroup.procs") ?? ""
    return Set(text.split(separator: "\n").compactMap { pid_t($0) })
  }

  /// The cgroup's directories where nothing is in them any more.
  static func removeEmpty(_ path: String) {
    for hierarchy in hierarchies { rmdir("\(hierarchy)/\(path)") }
  }

  private static func value(_ controller: String, _ path: String, _ first: String, _ second: String) -> String? {
    TestFiles.read("\(directory(controller, path))/\(isUnified ? second : first)").map { String($0.filter { $0 != "\n" }) }
  }
}
