import Glibc
import PodAgent

/// Runs this very program with other arguments, and reads what it prints: for work that needs libraries the daemon should not
/// keep in its memory, or die of.
struct OwnCommand: Sendable {
  let arguments: [String]

  struct Failure: Error, CustomStringConvertible {
    var description: String
  }

  /// - Parameter limit: the child is killed past it.
  /// - Returns: its standard output, line by line.
  func run(within limit: Duration) async throws -> [String] {
    let child = try spawn()
    do {
      let (text, status) = try await BlockingCall.run("swiftlet \(arguments.first ?? "")", within: limit) {
        let text = OwnCommand.drain(child.output)
        var status: Int32 = 0
        while waitpid(child.process, &status, 0) < 0, errno == EINTR {}
        return (text, status)
      }
      guard status == 0 else { throw Failure(description: "swiftlet \(arguments.joined(separator: " ")) failed: \(text)") }
      return text.split(separator: "\n").map(String.init)
    } catch let error as BlockingCall.DeadlineExceeded {
      // The thread that waits for it reaps it.
      kill(child.process, SIGKILL)
      throw error
    }
  }

  private func spawn() throws -> (process: pid_t, output: Int32) {
    var ends: [Int32] = [0, 0]
    guard pipe(&ends) == 0 else { throw SystemError("pipe", "for a child", errno: errno) }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    defer { close(ends[1]) }
    OwnCommand.keepDescriptors()
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
    posix_spawn_file_actions_adddup2(&actions, ends[1], 2)
    var words: [UnsafeMutablePointer<CChar>?] = (["swiftlet"] + arguments).map { strdup($0) } + [nil]
    defer { for word in words { free(word) } }
    var process: pid_t = 0
    let failure = posix_spawn(&process, "/proc/self/exe", &actions, nil, &words, environ)
    guard failure == 0 else {
      close(ends[0])
      throw SystemError("posix_spawn", "/proc/self/exe", errno: failure)
    }
    return (process, ends[0])
  }

  /// Marks everything but the standard descriptors for closing. The sockets' library does not: a child that outlives a killed daemon
  /// would hold its listening sockets, and the next daemon would take it for a living one.
  static func keepDescriptors() {
    for descriptor in (try? Files.list("/proc/self/fd"))?.compactMap({ Int32($0) }) ?? [] where descriptor > 2 {
      _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    }
  }

  private static func drain(_ descriptor: Int32) -> String {
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = read(descriptor, &buffer, buffer.count)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
      bytes += buffer.prefix(count)
    }
  }
}
