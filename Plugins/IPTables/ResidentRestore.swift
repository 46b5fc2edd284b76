import Glibc
import Synchronization

/// An iptables-restore that stays between two changes: it commits table by table until its input ends, so it can be given a
/// change when there is one. Starting a tool (linking it, reading its extensions) costs several times what a small change does.
///
/// Whether a change is through it says itself: a verbose one prints the comment lines it comes across, at once, so a comment
/// stands behind each change. A line it cannot make ends it, as it would end a tool that was started for that change alone.
package final class ResidentRestore {
  /// Milliseconds for a tool to say its first word. One that kept its words back, or read ahead of what it commits, never would.
  /// Tests set more, for machines that are busy with others of them.
  package static let patience = Atomic<Int64>(2000)
  /// The tools' libraries keep a little of each change, such as names of chains, and were not made to do so for weeks.
  private static let life = 1000

  private let tool: SpawnedTool
  private var changes = 0
  /// Which it counts from its start, and names when something is wrong.
  private var lines = 0

  /// nil: it is of no use as a resident, why ever.
  init?(_ path: String, _ words: [String], environment: [String]) {
    do throws(SpawnedTool.StartFailure) {
      tool = try SpawnedTool(path, words + ["--verbose"], environment: environment)
    } catch {
      return nil
    }
    let end = SpawnedTool.now() + Self.patience.load(ordering: .relaxed)
    guard feed("", until: end) == .exited(status: 0, output: "", errors: "") else { return nil }
  }

  var process: pid_t { tool.process }

  /// Somebody may have ended it while it had nothing to do.
  var isThere: Bool {
    var state = pollfd(fd: tool.output.ours, events: 0, revents: 0)
    return poll(&state, 1, 0) == 0
  }

  var isWorn: Bool { changes >= Self.life }

  /// The outcome is that of a tool started for this input; after any but `exited(status: 0)` this one has ended.
  /// nil: not in time, and what it had committed by then is not known.
  func feed(_ input: String, until end: SpawnedTool.Instant) -> ToolOutcome? {
    changes += 1
    let mark = "# \(changes)\n"
    let isInTime = tool.exchange(input + mark, until: end, orLine: mark)
    let linesBefore = lines
    lines += input.utf8.count { $0 == 0x0a } + 1
    defer {
      tool.output.clear()
      tool.errors.clear()
    }
    if isInTime, tool.output.ends(with: mark) { return .exited(status: 0, output: "", errors: "") }
    guard isInTime, let outcome = tool.end(until: end) else {
      tool.kill()
      return nil
    }
    guard case .exited(let status, let output, let errors, _) = outcome else { return outcome }
    // It ended before it was through, whatever it thinks of that.
    return .exited(status: status == 0 ? -1 : status, output: output, errors: errors, linesBefore: linesBefore)
  }
}
