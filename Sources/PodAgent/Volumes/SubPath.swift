import Glibc

/// Glibc shows it only to GNU sources; the number is the kernel's, the same on x86-64 and arm64.
private let openPathOnly: Int32 = 0o10_000_000

/// Opens a path inside a volume without ever leaving it, whatever links a container has planted, and binds it to a place
/// that cannot be swapped: the runtime then mounts that place. Answers CVE-2017-1002101 and CVE-2021-25741.
package struct SubPath {
  /// Of the volume, on the node.
  var volume: String
  var path: String
  /// Where the runtime shall take it from.
  var target: String

  package init(volume: String, path: String, target: String) {
    self.volume = volume
    self.path = path
    self.target = target
  }

  package func bind() throws {
    let root = open(volume, openPathOnly | O_DIRECTORY | O_CLOEXEC)
    guard root >= 0 else { throw SystemError("open", volume) }
    defer { close(root) }
    let file = try openInside(root)
    defer { close(file) }
    var info = stat()
    guard fstat(file, &info) == 0 else { throw SystemError("stat", "\(volume)/\(path)") }
    if try isBound(info) { return }
    if info.st_mode & S_IFMT == S_IFDIR {
      try Files.makeDirectories(target)
    } else {
      try Files.makeDirectories(target.split(separator: "/").dropLast().reduce("") { "\($0)/\($1)" })
      try Files.write(target, [], mode: 0o644)
    }
    if mount("/proc/self/fd/\(file)", target, nil, UInt(MS_BIND), nil) != 0 {
      throw SystemError("bind mount of \(volume)/\(path) to", target)
    }
  }

  /// Whether `target` already shows this file. A file that took its place since (an updated ConfigMap) is bound anew for the
  /// containers to come; those that run keep what they have.
  private func isBound(_ info: stat) throws -> Bool {
    guard try MountTable.current().contains(target) else { return false }
    var bound = stat()
    if stat(target, &bound) == 0, bound.st_dev == info.st_dev, bound.st_ino == info.st_ino { return true }
    if umount2(target, Int32(MNT_DETACH)) != 0 { throw SystemError("umount", target) }
    return false
  }

  /// Walks down one name at a time; a name that is missing becomes a directory, as upstream. A link is followed only by
  /// resolving it inside the volume (configMap files are links through `..data`).
  private func openInside(_ root: Int32) throws -> Int32 {
    let parts = path.split(separator: "/").map(String.init).filter { $0 != "." }
    guard !parts.contains("..") else { throw ConfigurationProblem("subPath \"\(path)\" must not contain \"..\"") }
    var current = dup(root)
    var pending = Array(parts.reversed())
    var links = 0
    while let name = pending.popLast() {
      var next = openat(current, name, openPathOnly | O_NOFOLLOW | O_CLOEXEC)
      if next < 0, errno == ENOENT {
        if mkdirat(current, name, 0o777) != 0, errno != EEXIST {
          let error = SystemError("mkdir", "\(volume)/\(path)")
          close(current)
          throw error
        }
        next = openat(current, name, openPathOnly | O_NOFOLLOW | O_CLOEXEC)
      }
      guard next >= 0 else {
        let error = SystemError("open", "\(volume)/\(path)")
        close(current)
        throw error
      }
      if let link = linkTarget(next) {
        close(next)
        links += 1
        let inner = link.split(separator: "/").map(String.init)
        guard links < 20, !link.hasPrefix("/"), !inner.contains("..") else {
          close(current)
          throw ConfigurationProblem("subPath \"\(path)\": \"\(name)\" is a link that leads out of the volume")
        }
        pending += inner.filter { $0 != "." }.reversed()
      } else {
        close(current)
        current = next
      }
    }
    return current
  }

  private func linkTarget(_ file: Int32) -> String? {
    var info = stat()
    guard fstat(file, &info) == 0, info.st_mode & S_IFMT == S_IFLNK else { return nil }
    return Files.linkTarget(file, "")
  }
}
