import Glibc
import PodAgent

/// The file side of the local socket.
package enum LocalSocket {
  /// Makes the directory, for root only, and takes away a socket that a daemon before left. That no daemon runs is held by
  /// `InstanceLock`.
  package static func prepare(_ path: String) throws {
    let directory = path.split(separator: "/").dropLast().reduce("") { "\($0)/\($1)" }
    if !directory.isEmpty, !Files.exists(directory) { try Files.makeDirectories(directory, mode: 0o700) }
    var info = stat()
    guard lstat(path, &info) == 0 else { return }
    guard info.st_mode & S_IFMT == S_IFSOCK else { throw SystemError("--socket (a file that is no socket is there)", path, errno: EEXIST) }
    if answers(path) { throw SettingsProblem("a swiftlet answers at \(path); stop it first") }
    if unlink(path) != 0 { throw SystemError("unlink", path) }
  }

  /// Whether somebody listens at a socket.
  private static func answers(_ path: String) -> Bool {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    var name = sockaddr_un()
    name.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    guard bytes.count < MemoryLayout.size(ofValue: name.sun_path) else { return false }
    withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: bytes) }
    return withUnsafePointer(to: &name) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
      }
    }
  }

  package static func restrict(_ path: String) throws {
    if chmod(path, 0o600) != 0 { throw SystemError("chmod", path) }
  }

  package static func remove(_ path: String) { unlink(path) }
}

/// Keeps a second daemon away from the same state directory. Held as long as the process lives.
package struct InstanceLock: ~Copyable {
  private let descriptor: Int32

  package init(stateDirectory: String) throws(SettingsProblem) {
    do {
      try Files.makeDirectories(stateDirectory, mode: 0o750)
    } catch {
      throw SettingsProblem("--root-dir: \(error)")
    }
    descriptor = try InstanceLock.take("\(stateDirectory)/lock", stateDirectory)
  }

  deinit {
    // Said, not only closed: a child that is being started has the descriptor too until it becomes its program.
    flock(descriptor, LOCK_UN)
    close(descriptor)
  }

  private static func take(_ path: String, _ stateDirectory: String) throws(SettingsProblem) -> Int32 {
    let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw SettingsProblem("\(SystemError("open", path))") }
    if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return descriptor }
    close(descriptor)
    throw SettingsProblem(
      "another swiftlet runs with --root-dir \(stateDirectory); stop it first")
  }
}
