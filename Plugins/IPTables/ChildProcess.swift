import CNetfilter
import Glibc

/// Runs a tool as a child process, with a deadline.
package final class ChildProcess: ToolRunner {
  private let deadline: Int
  private let folders: [String]
  private var children: Set<Int32> = []

  package let lockFile: String

  /// - Parameters:
  ///   - deadline: seconds after which a tool that did not end is killed.
  ///   - lockFile: nil: the one everybody has.
  ///   - folders: where tools are looked for; not the PATH of an agent that may have been started with none.
  package init(
    deadline: Int = 60, lockFile: String? = nil,
    folders: [String] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]
  ) {
    self.deadline = deadline
    self.lockFile = lockFile ?? getenv("XTABLES_LOCKFILE").map { String(cString: $0) } ?? "/run/xtables.lock"
    self.folders = folders
  }

  package func isPresent(_ tool: String) -> Bool { path(tool) != nil }

  package func takeChildren() -> Set<Int32> {
    defer { children = [] }
    return children
  }

  private func path(_ tool: String) -> String? {
    folders.lazy.map { "\($0)/\(tool)" }.first { access($0, X_OK) == 0 }
  }

  package func run(_ call: ToolCall) -> ToolOutcome {
    guard let path = path(call.tool) else { return .missing }
    // Sockets, since unlike pipes they can be made close-on-exec at once and written to without SIGPIPE.
    guard let input = Stream(), let output = Stream(), let errors = Stream() else { return .failed(operation: "socketpair", errno: errno) }
    var child = pid_t()
    let started = spawn(path, call, input.theirs, output.theirs, errors.theirs, &child)
    for stream in [input, output, errors] { stream.closeTheirs() }
    guard started == 0 else { return .failed(operation: "start \(path)", errno: started) }
    children.insert(child)
    let end = Self.now() + Int64(deadline) * 1000
    var bytes = Array(call.input.utf8)[...]
    let isDone = exchange(&bytes, input, output, errors, until: end)
    guard isDone, let status = Self.wait(child, until: end) else {
      kill(child, SIGKILL)
      var status: Int32 = 0
      while waitpid(child, &status, 0) < 0, errno == EINTR {}
      return .hung(seconds: deadline)
    }
    let signal = status & 0x7f
    if signal != 0 { return .killed(signal: signal, errors: errors.text) }
    return .exited(status: status >> 8 & 0xff, output: output.text, errors: errors.text)
  }

  private func spawn(_ path: String, _ call: ToolCall, _ input: Int32, _ output: Int32, _ errors: Int32, _ child: inout pid_t) -> Int32 {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for (descriptor, number) in [(input, Int32(0)), (output, 1), (errors, 2)] {
      posix_spawn_file_actions_adddup2(&actions, descriptor, number)
    }
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
    let arguments = ([call.tool] + call.arguments).map { strdup($0) } + [nil]
    let variables = environment().map { strdup($0) } + [nil]
    defer { (arguments + variables).forEach { free($0) } }
    return posix_spawn(&child, path, &actions, &attributes, arguments, variables)
  }

  /// Messages in one language, and what tells the tools where their files are.
  private func environment() -> [String] {
    var variables = ["LC_ALL=C", "PATH=\(folders.joined(separator: ":"))", "XTABLES_LOCKFILE=\(lockFile)"]
    if let value = getenv("XTABLES_LIBDIR") { variables.append("XTABLES_LIBDIR=\(String(cString: value))") }
    return variables
  }

  /// Feeds and drains until the child closed its output; false: not in time.
  private func exchange(_ bytes: inout ArraySlice<UInt8>, _ input: Stream, _ output: Stream, _ errors: Stream, until end: Int64) -> Bool {
    if bytes.isEmpty { input.close() }
    while output.isOpen || errors.isOpen {
      let left = end - Self.now()
      if left <= 0 { return false }
      let streams = [input, output, errors].filter(\.isOpen)
      var polls = streams.map { pollfd(fd: $0.ours, events: Int16($0 === input ? POLLOUT : POLLIN), revents: 0) }
      let ready = poll(&polls, nfds_t(polls.count), Int32(clamping: left))
      if ready < 0, errno != EINTR { return false }
      for (stream, state) in zip(streams, polls) where state.revents != 0 {
        if stream === input { stream.send(&bytes) } else { stream.receive() }
      }
    }
    return true
  }

  /// The child closed its output, so it ends soon or never; nil: not in time.
  private static func wait(_ child: pid_t, until end: Int64) -> Int32? {
    var status: Int32 = 0
    while true {
      let ended = waitpid(child, &status, WNOHANG)
      if ended == child { return status }
      if ended < 0, errno != EINTR { return nil }
      let left = end - now()
      if left <= 0 { return nil }
      poll(nil, 0, Int32(clamping: min(left, 1)))
    }
  }

  private static func now() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
  }
}

/// One of the child's standard streams.
private final class Stream {
  let ours: Int32
  let theirs: Int32
  private(set) var isOpen = true
  private var hasTheirs = true
  private var bytes: [UInt8] = []

  init?() {
    var pair: [Int32] = [-1, -1]
    let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    guard socketpair(AF_UNIX, kind, 0, &pair) == 0, let first = pair.first, let last = pair.last else { return nil }
    ours = first
    theirs = last
    _ = fcntl(ours, F_SETFL, O_NONBLOCK)
  }

  deinit {
    close()
    closeTheirs()
  }

  var text: String { String(decoding: bytes, as: UTF8.self) }

  func close() {
    if isOpen { Glibc.close(ours) }
    isOpen = false
  }

  func closeTheirs() {
    if hasTheirs { Glibc.close(theirs) }
    hasTheirs = false
  }

  /// Closes when all is sent, or when the child reads no more: why, its exit tells.
  func send(_ rest: inout ArraySlice<UInt8>) {
    let count = rest.withUnsafeBytes { Glibc.send(ours, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
    if count > 0 { rest = rest.dropFirst(count) }
    if rest.isEmpty || (count < 0 && errno != EAGAIN && errno != EINTR) { close() }
  }

  func receive() {
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    let count = recv(ours, &buffer, buffer.count, 0)
    if count > 0 { bytes += buffer.prefix(count) }
    if count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR) { close() }
  }
}
