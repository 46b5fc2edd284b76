import Glibc

/// Runs a tool as a child process, with a deadline. Not for several threads at once.
package final class ChildProcess: ToolRunner {
  /// Larger inputs have a tool of their own: its start does not count then, and the memory it grew by is given back.
  private static let residentLimit = 1 << 16
  /// A machine may have been too busy or too full to start one; a tool that never serves costs this many waits.
  private static let patience = 5

  private let deadline: Int
  private let folders: [String]
  private let keepsTools: Bool
  private var children: Set<Int32> = []
  /// By their words. In the network namespace of the thread that made the first call.
  private var residents: [[String]: ResidentRestore] = [:]
  /// Tools that could not be used so: how often that was, and those not to be tried again before the next `endTools`.
  private var failures: [[String]: Int] = [:]
  private var resting: Set<[String]> = []
  /// Those that had something to do since `endTools`.
  private var busy: Set<[String]> = []

  package let lockFile: String

  /// - Parameters:
  ///   - deadline: seconds after which a tool that did not end is killed.
  ///   - lockFile: nil: the one everybody has.
  ///   - keepsTools: whether a tool may stay for further calls that allow it.
  ///   - folders: where tools are looked for; not the PATH of an agent that may have been started with none.
  package init(
    deadline: Int = 60, lockFile: String? = nil, keepsTools: Bool = true,
    folders: [String] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]
  ) {
    self.deadline = deadline
    self.lockFile = lockFile ?? getenv("XTABLES_LOCKFILE").map { String(cString: $0) } ?? "/run/xtables.lock"
    self.keepsTools = keepsTools
    self.folders = folders
  }

  package func isPresent(_ tool: String) -> Bool { path(tool) != nil }

  package func takeChildren() -> Set<Int32> {
    defer { children = [] }
    return children
  }

  package func endTools(exceptBusy: Bool) {
    for words in residents.keys where !exceptBusy || !busy.contains(words) { residents[words] = nil }
    busy = []
    resting = []
  }

  package func run(_ call: ToolCall) -> ToolOutcome {
    guard let path = path(call.tool) else { return .missing }
    let words = [call.tool] + call.arguments
    let end = SpawnedTool.now() + Int64(deadline) * 1000
    if let resident = resident(call, path, words) {
      children.insert(resident.process)
      let outcome = resident.feed(call.input, until: end) ?? .hung(seconds: deadline)
      if case .exited(status: 0, _, _, _) = outcome { return outcome }
      residents[words] = nil
      return outcome
    }
    do throws(SpawnedTool.StartFailure) {
      let tool = try SpawnedTool(path, words, environment: environment())
      children.insert(tool.process)
      guard tool.exchange(call.input, until: end), let outcome = tool.end(until: end) else {
        tool.kill()
        return .hung(seconds: deadline)
      }
      return outcome
    } catch {
      return .failed(operation: error.operation, errno: error.errno)
    }
  }

  private func resident(_ call: ToolCall, _ path: String, _ words: [String]) -> ResidentRestore? {
    guard keepsTools, call.mayStay, call.input.utf8.count <= Self.residentLimit, !resting.contains(words),
      failures[words, default: 0] < Self.patience
    else { return nil }
    busy.insert(words)
    if let resident = residents[words], resident.isThere, !resident.isWorn { return resident }
    residents[words] = nil
    guard let resident = ResidentRestore(path, words, environment: environment()) else {
      failures[words, default: 0] += 1
      resting.insert(words)
      return nil
    }
    residents[words] = resident
    return resident
  }

  private func path(_ tool: String) -> String? {
    folders.lazy.map { "\($0)/\(tool)" }.first { access($0, X_OK) == 0 }
  }

  /// Messages in one language, and what tells the tools where their files are.
  private func environment() -> [String] {
    var variables = ["LC_ALL=C", "PATH=\(folders.joined(separator: ":"))", "XTABLES_LOCKFILE=\(lockFile)"]
    if let value = getenv("XTABLES_LIBDIR") { variables.append("XTABLES_LIBDIR=\(String(cString: value))") }
    return variables
  }
}
