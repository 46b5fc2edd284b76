import Glibc
import PluginKit

/// SIGKILL to many processes, and the words for those that stay.
package enum ProcessSignal {
  /// The agent never kills itself: refuses when it is among the processes of a cgroup to be emptied.
  package static func refuseOwn(_ processes: Set<Int32>, in path: String) throws(BackendFault) {
    guard processes.contains(getpid()) else { return }
    throw BackendFault(
      .denied, "kill \(path): the agent itself (process \(getpid())) runs in it; start the agent in a cgroup outside of it")
  }

  /// Processes that are gone by now are fine.
  package static func kill(_ processes: some Sequence<Int32>) throws(BackendFault) {
    for process in processes where process > 0 && process != getpid() {
      guard Glibc.kill(process, SIGKILL) != 0, errno != ESRCH else { continue }
      let code = errno
      throw BackendFault(
        code == EPERM ? .denied : .internal, "kill process \(process)\(name(process)): \(errorWords(code))", errno: code)
    }
  }

  package static func stillThere(_ processes: Set<Int32>, in path: String, errno code: Int32 = 0) -> BackendFault {
    let shown = processes.sorted().prefix(5).map { "\($0)\(name($0))" }.joined(separator: ", ")
    let more = processes.count > 5 ? ", …" : ""
    return BackendFault(.retry, "\(path) still has \(processes.count) processes: \(shown)\(more)", errno: code)
  }

  /// " (name, state D)" from `/proc`, so that a process stuck in the kernel is seen as such; "" when it is gone.
  private static func name(_ process: Int32) -> String {
    guard let directory = try? ControlDirectory(root: "/proc/\(process)"), let bytes = try? directory.read("stat"),
      let open = bytes.firstIndex(of: UInt8(ascii: "(")), let close = bytes.lastIndex(of: UInt8(ascii: ")")), open < close
    else { return "" }
    let name = String(decoding: bytes[(open + 1)..<close], as: UTF8.self)
    let state = bytes[close...].dropFirst(2).first.map { String(UnicodeScalar($0)) } ?? "?"
    return " (\(name), state \(state))"
  }
}
