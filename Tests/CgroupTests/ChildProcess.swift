import CgroupFiles
import Glibc
import PluginKit
import Testing

/// A process of a test, run by /bin/sh; killed and reaped when the test lets go of it.
final class ChildProcess {
  let id: Int32
  private var status: Int32?

  /// - Parameters:
  ///   - files: `cgroup.procs` files the process writes itself into before it begins.
  ///   - command: of the shell; `exec` keeps the process id.
  init(in files: [String] = [], _ command: String) throws {
    let script = "for f in \"$@\"; do echo $$ >\"$f\" || exit 99; done; \(command)"
    let arguments = ["/bin/sh", "-c", script, "sh"] + files
    var pointers: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) }
    defer { for pointer in pointers { free(pointer) } }
    pointers.append(nil)
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for descriptor: Int32 in 0...2 { posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_RDWR, 0) }
    // The environment of the tests is of no use here, and without PATH the shell takes its own default.
    var environment: [UnsafeMutablePointer<CChar>?] = [nil]
    var id: Int32 = 0
    let code = posix_spawn(&id, "/bin/sh", &actions, nil, &pointers, &environment)
    try #require(code == 0, "posix_spawn: \(errorWords(code))")
    self.id = id
  }

  deinit {
    guard status == nil else { return }
    Glibc.kill(id, SIGKILL)
    waitpid(id, nil, 0)
  }

  var isRunning: Bool {
    if status != nil { return false }
    var status: Int32 = 0
    guard waitpid(id, &status, WNOHANG) == id else { return true }
    self.status = status
    return false
  }

  /// Waits for the end.
  /// - Returns: the signal that ended the process; `nil` when it exited by itself.
  func endingSignal() throws -> Int32? {
    try eventually("process \(id) ends") { !self.isRunning }
    guard let status, status & 0x7f != 0 else { return nil }
    return status & 0x7f
  }
}

/// Waits for a condition of the world outside, which no clock of ours can bring about.
func eventually(_ claim: String, within limit: Duration = .seconds(60), _ condition: () throws -> Bool) throws {
  var patience = Patience(limit, host: HostServices(testing: { _, _ in }))
  while try !condition() {
    try #require(try patience.pause(), "\(claim), within \(limit)")
  }
}
