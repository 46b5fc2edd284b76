import Glibc

/// The few file operations the agent needs, each with an error that names the path.
package enum Files {
  package static func makeDirectories(_ path: String, mode: mode_t = 0o755) throws(SystemError) {
    var built = path.hasPrefix("/") ? "" : "."
    for part in path.split(separator: "/") {
      built += "/\(part)"
      if mkdir(built, mode) != 0, errno != EEXIST { throw SystemError("mkdir", built) }
    }
  }

  package static func read(_ path: String, limit: Int = 16 << 20) throws(SystemError) -> [UInt8] {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw SystemError("open", path) }
    defer { close(file) }
    var content: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 64 * 1024)
    while content.count < limit {
      let count = Glibc.read(file, &buffer, min(buffer.count, limit - content.count))
      if count < 0 {
        if errno == EINTR { continue }
        throw SystemError("read", path)
      }
      if count == 0 { break }
      content += buffer[..<count]
    }
    return content
  }

  package static func text(_ path: String) throws(SystemError) -> String {
    String(decoding: try read(path), as: UTF8.self)
  }

  package static func write(_ path: String, _ content: [UInt8], mode: mode_t = 0o644) throws(SystemError) {
    let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode)
    guard file >= 0 else { throw SystemError("open", path) }
    defer { close(file) }
    var written = 0
    while written < content.count {
      let count = content[written...].withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
      if count < 0 {
        if errno == EINTR { continue }
        throw SystemError("write", path)
      }
      written += count
    }
    // The umask must not narrow what a manifest asks for.
    if fchmod(file, mode) != 0 { throw SystemError("chmod", path) }
  }

  /// Replaces a file so that readers see the old or the new content, also after a power cut.
  package static func replace(_ path: String, _ content: [UInt8], mode: mode_t = 0o600) throws(SystemError) {
    let temporary = path + ".new"
    unlink(temporary)
    try write(temporary, content, mode: mode)
    let file = open(temporary, O_RDONLY | O_CLOEXEC)
    if file >= 0 {
      fsync(file)
      close(file)
    }
    if rename(temporary, path) != 0 { throw SystemError("rename", path) }
  }

  /// Names in a directory without "." and "..", sorted.
  package static func list(_ path: String) throws(SystemError) -> [String] {
    guard let directory = opendir(path) else { throw SystemError("opendir", path) }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  /// Removes a tree; what is mounted inside must be unmounted first. Gone is success.
  package static func removeTree(_ path: String) throws(SystemError) { try TreeRemoval.remove(path) }

  /// The path without links, dots and double slashes: mounts are found by comparing with what the kernel writes.
  package static func canonical(_ path: String) throws(SystemError) -> String {
    guard let resolved = realpath(path, nil) else { throw SystemError("realpath", path) }
    defer { free(resolved) }
    return String(cString: resolved)
  }

  /// What a symbolic link says, or `nil` when it is none. `path` is relative to the open directory, or "" for the link that
  /// is open itself.
  package static func linkTarget(_ directory: Int32, _ path: String) -> String? {
    var buffer = [CChar](repeating: 0, count: 4096)
    let length = readlinkat(directory, path, &buffer, buffer.count)
    return length < 0 ? nil : String(decoding: buffer[..<length].map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  package static func exists(_ path: String) -> Bool {
    var info = stat()
    return lstat(path, &info) == 0
  }
}
