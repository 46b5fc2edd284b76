import Glibc
import ProxyTesting
import Synchronization

/// A program that a test started. It inherits no descriptor but its three streams: a pipe of another suite that leaked into a
/// daemon would stay open as long as that runs.
final class ChildProcess: Sendable {
  enum Exit: Sendable, Equatable, CustomStringConvertible {
    case code(Int32)
    case signal(Int32)

    var description: String {
      switch self {
      case .code(let code): "exit code \(code)"
      case .signal(let number): "signal \(number)"
      }
    }
  }

  let pid: pid_t
  let words: [String]
  private let ended = Mutex<Exit?>(nil)

  /// - Parameters:
  ///   - words: the program's path or name, and its arguments.
  ///   - out: descriptor of standard output; stays the caller's. `err` likewise.
  ///   - namespace: where it starts; `nil`: the test's own network namespace.
  init(_ words: [String], out: Int32, err: Int32, in namespace: NetworkNamespace?) throws {
    self.words = words
    pid = try namespace.map { try $0.run { try ChildProcess.spawn(words, out, err) } } ?? ChildProcess.spawn(words, out, err)
  }

  private static func spawn(_ words: [String], _ out: Int32, _ err: Int32) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_adddup2(&actions, out, 1)
    posix_spawn_file_actions_adddup2(&actions, err, 2)
    // Closing one that is not open is no error. Some may be opened meanwhile, hence more than there are.
    let highest = TestFiles.list("/proc/self/fd").compactMap { Int32($0) }.max() ?? 0
    for descriptor in 3...(max(highest, 2) + 128) { posix_spawn_file_actions_addclose(&actions, descriptor) }
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var all = sigset_t()
    var none = sigset_t()
    sigfillset(&all)
    sigemptyset(&none)
    posix_spawnattr_setsigdefault(&attributes, &all)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))
    let arguments = words.map { strdup($0) } + [nil]
    defer { arguments.forEach { free($0) } }
    var child = pid_t()
    let failure = posix_spawnp(&child, words.first ?? "", &actions, &attributes, arguments, environ)
    guard failure == 0 else { throw SystemError("start \(words.joined(separator: " "))", errno: failure) }
    return child
  }

  /// How it ended; `nil` while it runs.
  var exit: Exit? {
    ended.withLock { ended in
      if let ended { return ended }
      var status: Int32 = 0
      guard waitpid(pid, &status, WNOHANG) == pid else { return nil }
      let signal = status & 0x7F
      ended = signal == 0 ? .code((status >> 8) & 0xFF) : .signal(signal)
      return ended
    }
  }

  /// Does nothing when it has ended: its number may be another's by now.
  func signal(_ number: Int32) {
    guard exit == nil else { return }
    kill(pid, number)
  }

  func wait(within limit: Duration) async throws -> Exit {
    try await eventually("the end of \(words.joined(separator: " "))", within: limit) { exit }
  }
}

/// Runs a program to its end.
struct Tool: Sendable {
  var exit: ChildProcess.Exit
  /// Standard output.
  var out: String
  /// Standard error.
  var err: String

  var succeeded: Bool { exit == .code(0) }

  static func run(_ words: [String], in namespace: NetworkNamespace? = nil, within limit: Duration = .seconds(60)) async throws -> Tool {
    let out = try TemporaryFile()
    let err = try TemporaryFile()
    let child = try ChildProcess(words, out: out.descriptor, err: err.descriptor, in: namespace)
    do {
      let exit = try await child.wait(within: limit)
      return Tool(exit: exit, out: out.text, err: err.text)
    } catch {
      child.signal(SIGKILL)
      throw error
    }
  }

  /// - Returns: standard output. Throws unless the exit code is 0.
  @discardableResult
  static func must(_ words: [String], in namespace: NetworkNamespace? = nil, within limit: Duration = .seconds(60)) async throws -> String {
    let tool = try await run(words, in: namespace, within: limit)
    guard tool.succeeded else { throw Problem("\(words.joined(separator: " ")): \(tool.exit): \(tool.out)\(tool.err)") }
    return tool.out
  }
}

/// A file without a name. A pipe would fill up and block who writes.
private final class TemporaryFile {
  let descriptor: Int32

  init() throws {
    var template = Array("/tmp/swiftlet-test-XXXXXX".utf8CString)
    descriptor = mkstemp(&template)
    guard descriptor >= 0, fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0 else { throw SystemError("make a temporary file") }
    unlink(template)
  }

  deinit { close(descriptor) }

  var text: String {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = pread(descriptor, &chunk, chunk.count, off_t(bytes.count))
      guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
      bytes += chunk.prefix(count)
    }
  }
}
