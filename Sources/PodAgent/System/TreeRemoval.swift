import Glibc

/// Removes a directory tree that a container may have filled: by open directories and the kernel's own bytes of each name, so
/// that no name is too odd, no path too long, and no link swapped in meanwhile leads out. A mount point inside is never
/// crossed or emptied: the kernel refuses to remove one, and that ends the removal with EBUSY.
struct TreeRemoval {
  /// Deeper directories are moved up to the top first, so that few descriptors are open however deep a tree is.
  private static let depthLimit = 64

  private let path: String
  private var moved = 0

  static func remove(_ path: String) throws(SystemError) {
    if unlink(path) == 0 || errno == ENOENT { return }
    guard errno == EISDIR || errno == EPERM else { throw SystemError("unlink", path) }
    if rmdir(path) == 0 { return }
    guard errno == ENOTEMPTY || errno == EEXIST else { throw SystemError("rmdir", path) }
    var removal = TreeRemoval(path: path)
    try removal.run()
  }

  private init(path: String) { self.path = path }

  private mutating func run() throws(SystemError) {
    let top = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard top >= 0 else { throw SystemError("open", path) }
    defer { close(top) }
    // Emptying may move deep directories to the top; then there is more to do there.
    repeat {
      moved = 0
      try empty(top, top: top, depth: 0)
    } while moved > 0
    if rmdir(path) != 0, errno != ENOENT { throw SystemError("rmdir", path) }
  }

  private mutating func empty(_ directory: Int32, top: Int32, depth: Int) throws(SystemError) {
    for name in try names(in: directory) {
      if unlinkat(directory, name, 0) == 0 || errno == ENOENT { continue }
      guard errno == EISDIR || errno == EPERM else { throw failure("unlink", name) }
      // A mount point answers EBUSY here, before the kernel looks whether it is empty.
      if unlinkat(directory, name, Int32(AT_REMOVEDIR)) == 0 || errno == ENOENT { continue }
      guard errno == ENOTEMPTY || errno == EEXIST else { throw failure("rmdir", name) }
      if depth >= TreeRemoval.depthLimit {
        moved += 1
        guard renameat(directory, name, top, ".removing-\(moved)-\(depth)") == 0 else { throw failure("rename", name) }
        continue
      }
      let child = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
      guard child >= 0 else { throw failure("open", name) }
      defer { close(child) }
      try empty(child, top: top, depth: depth + 1)
      if unlinkat(directory, name, Int32(AT_REMOVEDIR)) != 0, errno != ENOENT, moved == 0 { throw failure("rmdir", name) }
    }
  }

  /// NUL-terminated, as the kernel has them: a name need not be UTF-8.
  private func names(in directory: Int32) throws(SystemError) -> [[CChar]] {
    let copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard copy >= 0, let stream = fdopendir(copy) else { throw SystemError("opendir", path) }
    defer { closedir(stream) }
    var names: [[CChar]] = []
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
        bytes.prefix { $0 != 0 }.map { CChar(bitPattern: $0) } + [0]
      }
      let dot = CChar(bitPattern: UInt8(ascii: "."))
      if name != [dot, 0], name != [dot, dot, 0] { names.append(name) }
    }
    return names
  }

  private func failure(_ operation: String, _ name: [CChar]) -> SystemError {
    let number = errno
    let text = String(decoding: name.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    return SystemError(operation, "\(path)/…/\(text)", errno: number)
  }
}
