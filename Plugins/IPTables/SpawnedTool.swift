import CNetfilter
import Glibc

/// A tool that was started, with its three streams.
final class SpawnedTool {
  /// Milliseconds of the monotonic clock.
  typealias Instant = Int64

  struct StartFailure: Error {
    var operation: String
    var errno: Int32
  }

  let process: pid_t
  let output: Stream
  let errors: Stream
  private let input: Stream
  private var isReaped = false

  /// - Parameters:
  ///   - words: the tool's name as it shall know it, then its arguments.
  ///   - environment: all of it.
  init(_ path: String, _ words: [String], environment: [String]) throws(StartFailure) {
    // Sockets, since unlike pipes they can be made close-on-exec at once and written to without SIGPIPE.
    guard let input = Stream(), let output = Stream(), let errors = Stream() else {
      throw StartFailure(operation: "socketpair", errno: Glibc.errno)
    }
    var child = pid_t()
    let started = Self.spawn(path, words, environment, [input.theirs, output.theirs, errors.theirs], &child)
    for stream in [input, output, errors] { stream.closeTheirs() }
    guard started == 0 else { throw StartFailure(operation: "start \(path)", errno: started) }
    process = child
    self.input = input
    self.output = output
    self.errors = errors
  }

  deinit { kill() }

  private static func spawn(
    _ path: String, _ words: [String], _ environment: [String], _ streams: [Int32], _ child: inout pid_t
  ) -> Int32 {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for (number, descriptor) in streams.enumerated() { posix_spawn_file_actions_adddup2(&actions, descriptor, Int32(number)) }
    // The agent's listening sockets are not all marked for closing, and a tool that stays would hold them beyond the agent's end.
    posix_spawn_file_actions_addclosefrom_np(&actions, Int32(streams.count))
    // The agent may block or ignore signals; the tool starts as from a shell.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    var all = sigset_t()
    sigemptyset(&none)
    sigfillset(&all)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setsigdefault(&attributes, &all)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
    let arguments = words.map { strdup($0) } + [nil]
    let variables = environment.map { strdup($0) } + [nil]
    defer { (arguments + variables).forEach { free($0) } }
    return posix_spawn(&child, path, &actions, &attributes, arguments, variables)
  }

  /// Feeds it and takes down what it says until it said the last line or closed its streams; false: not in time.
  /// - Parameter line: what it prints when it is through with these bytes; nil: they are the end of its input.
  func exchange(_ bytes: String, until end: Instant, orLine line: String? = nil) -> Bool {
    var rest = Array(bytes.utf8)[...]
    while true {
      if let line, output.ends(with: line) { return true }
      if rest.isEmpty, line == nil { input.close() }
      if !output.isOpen, !errors.isOpen { return true }
      let left = end - Self.now()
      if left <= 0 { return false }
      let streams = [input, output, errors].filter { (stream: Stream) in stream.isOpen && (stream !== input || !rest.isEmpty) }
      var polls = streams.map { pollfd(fd: $0.ours, events: Int16($0 === input ? POLLOUT : POLLIN), revents: 0) }
      let ready = poll(&polls, nfds_t(polls.count), Int32(clamping: left))
      if ready < 0, errno != EINTR { return false }
      for (stream, state) in zip(streams, polls) where state.revents != 0 {
        if stream === input { stream.send(&rest) } else { stream.receive() }
      }
    }
  }

  /// It closed its output, so it ends soon or never; nil: not in time.
  func end(until end: Instant) -> ToolOutcome? {
    var status: Int32 = 0
    while true {
      let ended = waitpid(process, &status, WNOHANG)
      if ended == process { break }
      if ended < 0, errno != EINTR { return nil }
      let left = end - Self.now()
      if left <= 0 { return nil }
      poll(nil, 0, Int32(clamping: min(left, 1)))
    }
    isReaped = true
    let signal = status & 0x7f
    if signal != 0 { return .killed(signal: signal, errors: errors.text) }
    return .exited(status: status >> 8 & 0xff, output: output.text, errors: errors.text)
  }

  /// Without a word to it: what it was doing is cut off.
  func kill() {
    if isReaped { return }
    isReaped = true
    Glibc.kill(process, SIGKILL)
    var status: Int32 = 0
    while waitpid(process, &status, 0) < 0, errno == EINTR {}
  }

  static func now() -> Instant {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
  }
}
