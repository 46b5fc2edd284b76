import PodAgent
import Synchronization

/// What was asked of the runtime and of the cgroup driver, in one order.
final class Journal: Sendable {
  private struct State {
    var lines: [String] = []
    var names: [String: String] = [:]
    var started: [String: Int64] = [:]
    var finished: [String: Int64] = [:]
  }

  private let state = Mutex(State())

  var lines: [String] { state.withLock { $0.lines } }

  func add(_ line: String) { state.withLock { $0.lines.append(line) } }

  func clear() { state.withLock { $0.lines = [] } }

  func count(_ line: String) -> Int { lines.count { $0 == line } }

  /// Ids become `namespace/pod` or `namespace/pod/container`.
  func name(_ id: String) -> String { state.withLock { $0.names[id] ?? id } }

  func set(name: String, of id: String) { state.withLock { $0.names[id] = name } }

  /// The manual clock's time of what the fake runtime stamps by a clock of its own.
  func started(_ id: String, at now: Int64) { state.withLock { $0.started[id] = now } }

  func times(of id: String, hasExited: Bool, now: Int64) -> (started: Int64, finished: Int64) {
    state.withLock { state in
      if hasExited, state.finished[id] == nil { state.finished[id] = now }
      return (state.started[id] ?? 0, hasExited ? state.finished[id] ?? now : 0)
    }
  }
}

/// Cgroups in memory, written down in the same journal as the runtime's calls.
actor FakeCgroups: CgroupDriver {
  nonisolated let name = "fake"
  private let journal: Journal
  private(set) var groups: [String: CgroupLimits] = [:]
  private var failures: [String: Int] = [:]

  init(journal: Journal) { self.journal = journal }

  /// The next calls of an operation fail.
  func fail(_ operation: String, times: Int) { failures[operation] = times }

  private func note(_ operation: String, _ path: String) throws(CgroupError) {
    journal.add("cgroup \(operation) \(path)")
    guard let left = failures[operation], left > 0 else { return }
    failures[operation] = left - 1
    throw CgroupError(code: .failed, operation: operation, message: "\(path): device or resource busy", osErrno: 16)
  }

  func start() async throws(CgroupError) {}

  func create(_ path: String, _ limits: CgroupLimits) async throws(CgroupError) {
    try note("create", path)
    groups[path] = limits
  }

  func set(_ path: String, _ limits: CgroupLimits) async throws(CgroupError) {
    try note("set", path)
    groups[path] = limits
  }

  func usage(_ path: String) async throws(CgroupError) -> CgroupStatistics { CgroupStatistics() }
  func processes(_ path: String) async throws(CgroupError) -> [Int32] { [] }
  func kill(_ path: String) async throws(CgroupError) { try note("kill", path) }

  func remove(_ path: String) async throws(CgroupError) {
    try note("remove", path)
    groups[path] = nil
  }

  func children(_ path: String) async throws(CgroupError) -> [String] { groups.keys.filter { $0.hasPrefix(path + "/") } }
  func stop() async {}
  func cleanup() async throws(CgroupError) -> [String] { [] }
  func ownedObjects() async throws(CgroupError) -> [String] { groups.keys.sorted() }
}
