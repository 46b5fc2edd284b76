import Glibc

/// Runs a program to its end, its output in a string.
struct Command {
  struct Outcome: Sendable {
    /// Exit code, or 128 and the signal's number.
    var status: Int32
    /// Standard output and error.
    var output: String
  }

  struct Failure: Error, CustomStringConvertible {
    var description: String
  }

  /// - Parameter program: absolute path.
  static func run(_ program: String, _ arguments: [String]) throws -> Outcome {
    var pipeEnds: [Int32] = [0, 0]
    guard pipe(&pipeEnds) == 0 else { throw Failure(description: "pipe: errno \(errno)") }
    // A child of another suite that held the writing end would keep the reader waiting.
    for end in pipeEnds { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, pipeEnds[1], 1)
    posix_spawn_file_actions_adddup2(&actions, pipeEnds[1], 2)
    posix_spawn_file_actions_addclose(&actions, pipeEnds[0])
    posix_spawn_file_actions_addclose(&actions, pipeEnds[1])
    var process = pid_t()
    let words = ([program] + arguments).map { strdup($0) }
    defer { words.forEach { free($0) } }
    let failure = posix_spawn(&process, program, &actions, nil, words + [nil], environ)
    close(pipeEnds[1])
    defer { close(pipeEnds[0]) }
    guard failure == 0 else { throw Failure(description: "\(program): errno \(failure)") }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65536)
    while true {
      let got = read(pipeEnds[0], &chunk, chunk.count)
      if got < 0, errno == EINTR { continue }
      guard got > 0 else { break }
      bytes.append(contentsOf: chunk.prefix(got))
    }
    var status: Int32 = 0
    while waitpid(process, &status, 0) < 0, errno == EINTR {}
    let signal = status & 0x7F
    return Outcome(status: signal == 0 ? (status >> 8) & 0xFF : 128 + signal, output: String(decoding: bytes, as: UTF8.self))
  }

  /// The first of the programs found on PATH.
  static func find(_ names: String...) throws -> String {
    let path = getenv("PATH").map { String(cString: $0) } ?? ""
    for name in names {
      for directory in path.split(separator: ":") where access("\(directory)/\(name)", X_OK) == 0 { return "\(directory)/\(name)" }
    }
    throw Failure(description: "none of \(names.joined(separator: ", ")) is on PATH")
  }
}
