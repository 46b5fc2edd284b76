import Glibc

/// Writes a payload into a volume so that a container sees all of the old or all of the new files, in the layout of
/// upstream: a timestamped directory, `..data` pointing to it, and one link per top-level name pointing through `..data`.
package struct AtomicWriter {
  var directory: String
  /// Group of the files, when the pod has an fsGroup.
  var group: gid_t?

  package init(directory: String, group: gid_t? = nil) {
    self.directory = directory
    self.group = group
  }

  /// - Returns: false when the volume held just this already.
  package func write(_ payload: VolumePayload, stamp: Int64) throws(SystemError) -> Bool {
    let previous = target(of: "\(directory)/..data")
    if let previous, holds(payload, in: "\(directory)/\(previous)") {
      // A daemon that was stopped after the switch has not done what comes after it.
      try relink(payload)
      return false
    }
    let name = freshName(stamp)
    let fresh = "\(directory)/\(name)"
    if mkdir(fresh, 0o755) != 0 { throw SystemError("mkdir", fresh) }
    for (path, file) in payload.files { try write(file, at: path, below: fresh) }
    let temporary = "\(directory)/..data_tmp"
    unlink(temporary)
    if symlink(name, temporary) != 0 { throw SystemError("symlink", temporary) }
    if rename(temporary, "\(directory)/..data") != 0 { throw SystemError("rename", "\(directory)/..data") }
    try relink(payload)
    try removeOthers(than: name)
    return true
  }

  /// Never one that is there: it may be what `..data` points to.
  private func freshName(_ stamp: Int64) -> String {
    var stamp = stamp
    while Files.exists("\(directory)/..\(stamp)") { stamp += 1 }
    return "..\(stamp)"
  }

  /// The version before, and what writes that were cut short left.
  private func removeOthers(than name: String) throws(SystemError) {
    for other in try Files.list(directory) where other.hasPrefix("..") && other != "..data" && other != name {
      try Files.removeTree("\(directory)/\(other)")
    }
  }

  private func write(_ file: VolumePayload.File, at path: String, below root: String) throws(SystemError) {
    let parent = path.split(separator: "/").dropLast().joined(separator: "/")
    if !parent.isEmpty { try Files.makeDirectories("\(root)/\(parent)") }
    let full = "\(root)/\(path)"
    // With an fsGroup the group must be able to read, as upstream sets it.
    try Files.write(full, file.content, mode: mode_t(group == nil ? file.mode : file.mode | 0o440))
    if let group, chown(full, uid_t.max, group) != 0 { throw SystemError("chown", full) }
  }

  /// Top-level names get a link through `..data`; links of names that are gone are removed.
  private func relink(_ payload: VolumePayload) throws(SystemError) {
    let wanted = Set(payload.files.keys.compactMap { $0.split(separator: "/").first.map(String.init) })
    for name in try Files.list(directory) where !name.hasPrefix("..") && !wanted.contains(name) {
      unlink("\(directory)/\(name)")
    }
    for name in wanted where target(of: "\(directory)/\(name)") == nil {
      if symlink("..data/\(name)", "\(directory)/\(name)") != 0 { throw SystemError("symlink", "\(directory)/\(name)") }
    }
  }

  private func holds(_ payload: VolumePayload, in root: String) -> Bool {
    var found = 0
    for (path, file) in payload.files {
      guard let content = try? Files.read("\(root)/\(path)", limit: file.content.count + 1), content == file.content else { return false }
      found += 1
    }
    return found == count(of: root)
  }

  private func count(of root: String) -> Int {
    guard let names = try? Files.list(root) else { return -1 }
    var count = 0
    for name in names {
      var info = stat()
      guard lstat("\(root)/\(name)", &info) == 0 else { continue }
      count += info.st_mode & S_IFMT == S_IFDIR ? self.count(of: "\(root)/\(name)") : 1
    }
    return count
  }

  private func target(of link: String) -> String? { Files.linkTarget(AT_FDCWD, link) }
}
