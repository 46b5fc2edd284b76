import CIPVS
import Glibc
import PluginKit

/// Runs iptables' tools: nf_tables and xtables have no common library. In the network namespace of the calling thread.
package enum Tool {
  /// Seconds a tool may take; it waits for the xtables lock itself, for less.
  private static let patience: Int32 = 30

  /// - Returns: what it printed.
  package static func run(_ words: [String], input: String = "") throws(BackendFault) -> String {
    let name = words.joined(separator: " ")
    var output: [Int32] = [-1, -1]
    guard pipe2(&output, O_CLOEXEC) == 0, let reading = output.first, let writing = output.last else {
      throw Failure.fault("run \(name)", errno: errno)
    }
    defer { close(reading) }
    let source = try temporary(input)
    defer { close(source) }
    // Not together with what it prints: iptables-save prints in blocks, and its warning that legacy tables are present too
    // would stand in the middle of a rule.
    let complaints = try temporary()
    defer { close(complaints) }
    var child = pid_t()
    let started = spawn(words, source, writing, complaints, &child)
    close(writing)
    guard started == 0 else {
      let fix = started == ENOENT ? "; install iptables" : ""
      throw BackendFault(
        started == ENOENT ? .unsupported : .retry, "run \(name): \(String(cString: strerror(started)))\(fix)", errno: started)
    }
    let (text, isDone) = collect(reading)
    if !isDone { kill(child, SIGKILL) }
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0, errno == EINTR {}
    guard isDone else { throw BackendFault(.retry, "\(name): killed since it took more than \(patience) s", errno: ETIMEDOUT) }
    guard status == 0 else {
      let code = status & 0x7f == 0 ? "status \(status >> 8 & 0xff)" : "signal \(status & 0x7f)"
      let complaint = contents(of: complaints)
      let words = (complaint.isEmpty ? text : complaint).split(separator: "\n").prefix(3).joined(separator: "; ")
      // What iptables says of another who holds the lock, and of a ruleset that changed under it.
      let isTransient = complaint.contains("xtables lock") || complaint.contains("Resource temporarily unavailable")
      let isDenied = complaint.contains("Permission denied") || complaint.contains("Operation not permitted")
      throw BackendFault(isDenied ? .denied : isTransient ? .retry : .internal, "\(name): \(code): \(words)")
    }
    return text
  }

  private static func spawn(_ words: [String], _ input: Int32, _ output: Int32, _ complaints: Int32, _ child: inout pid_t) -> Int32 {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, input, 0)
    posix_spawn_file_actions_adddup2(&actions, output, 1)
    posix_spawn_file_actions_adddup2(&actions, complaints, 2)
    // The agent's listening sockets are not all marked for closing.
    posix_spawn_file_actions_addclosefrom_np(&actions, 3)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // The agent may block signals on its threads; a child that inherits that cannot be interrupted.
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
    let arguments = words.map { strdup($0) } + [nil]
    // Nothing of the agent's environment is a tool's business.
    let environment = [strdup("PATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin"), strdup("LC_ALL=C"), nil]
    defer { (arguments + environment).forEach { free($0) } }
    return posix_spawnp(&child, words.first ?? "", &actions, &attributes, arguments, environment)
  }

  private static func collect(_ descriptor: Int32) -> (text: String, isDone: Bool) {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    let end = Clock.seconds() + UInt64(patience)
    while true {
      var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      let now = Clock.seconds()
      let ready = now >= end ? 0 : poll(&waiting, 1, Int32(clamping: (end - now) * 1000))
      if ready < 0, errno == EINTR { continue }
      if ready <= 0 { return (String(decoding: bytes, as: UTF8.self), false) }
      let count = read(descriptor, &buffer, buffer.count)
      if count < 0, errno == EINTR { continue }
      if count <= 0 { return (String(decoding: bytes, as: UTF8.self), true) }
      bytes += buffer.prefix(count)
    }
  }

  private static func temporary() throws(BackendFault) -> Int32 {
    let file = memfd_create("swiftlet-ipvs", SWL_MFD_CLOEXEC)
    guard file >= 0 else { throw Failure.fault("make a temporary file", errno: errno) }
    return file
  }

  /// As much of it as an error needs.
  private static func contents(of file: Int32) -> String {
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = pread(file, &buffer, buffer.count, 0)
    return String(decoding: buffer.prefix(max(count, 0)), as: UTF8.self)
  }

  /// An open file without a name: a pipe would fill up and block us.
  private static func temporary(_ text: String) throws(BackendFault) -> Int32 {
    if text.isEmpty {
      let file = open("/dev/null", O_RDONLY | O_CLOEXEC)
      guard file >= 0 else { throw Failure.fault("open /dev/null", errno: errno) }
      return file
    }
    let file = try temporary()
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else {
        let cause = errno
        close(file)
        throw Failure.fault("write a temporary file", errno: cause)
      }
      rest = rest.dropFirst(count)
    }
    lseek(file, 0, SEEK_SET)
    return file
  }
}

package enum Clock {
  /// Since the machine started; goes on while it sleeps.
  package static func seconds() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_BOOTTIME, &time)
    return UInt64(clamping: time.tv_sec)
  }
}
