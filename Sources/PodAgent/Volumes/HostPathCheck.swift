import Glibc
import KubeModel

/// Checks what a hostPath volume demands of its path, and makes it where its type says so.
package struct HostPathCheck {
  var source: HostPathVolumeSource

  package init(source: HostPathVolumeSource) { self.source = source }

  package func run() throws {
    let path = source.path
    switch source.type {
    case .unset:
      // Upstream lets the runtime make a missing directory; making it here gives the same on every runtime.
      if !Files.exists(path) { try Files.makeDirectories(path) }
    case .directoryOrCreate:
      if !Files.exists(path) { try Files.makeDirectories(path) }
      try demand(S_IFDIR, "a directory")
    case .directory: try demand(S_IFDIR, "a directory")
    case .fileOrCreate:
      if !Files.exists(path) { try Files.write(path, [], mode: 0o644) }
      try demand(S_IFREG, "a file")
    case .file: try demand(S_IFREG, "a file")
    case .socket: try demand(S_IFSOCK, "a unix socket")
    case .charDevice: try demand(S_IFCHR, "a character device")
    case .blockDevice: try demand(S_IFBLK, "a block device")
    }
  }

  private func demand(_ kind: mode_t, _ words: String) throws {
    var info = stat()
    guard stat(source.path, &info) == 0 else { throw SystemError("hostPath type check", source.path) }
    guard info.st_mode & S_IFMT == kind else {
      throw ConfigurationProblem("hostPath type check failed: \(source.path) is not \(words)")
    }
  }
}
