import Glibc

/// One directory of a cgroup hierarchy, held open: everything in it is reached with the `*at` calls, so that a path is
/// walked once and cannot be swapped for another in between.
///
/// Works the same on a directory of regular files, which is how tests stand in for a kernel.
package struct ControlDirectory: ~Copyable {
  /// For messages.
  package let path: String
  private let descriptor: Int32

  /// Opens the root of a hierarchy.
  package init(root path: String) throws(CgroupFileError) {
    descriptor = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    self.path = path
    guard descriptor >= 0 else { throw CgroupFileError(.open, path, errno: errno) }
  }

  private init(name: String, in parent: borrowing ControlDirectory) throws(CgroupFileError) {
    // Cgroups are never symbolic links; one in a test directory must not lead out of it.
    descriptor = openat(parent.descriptor, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    path = "\(parent.path)/\(name)"
    guard descriptor >= 0 else { throw CgroupFileError(.open, path, errno: errno) }
  }

  deinit {
    if descriptor >= 0 { Glibc.close(descriptor) }
  }

  package borrowing func subdirectory(_ name: String) throws(CgroupFileError) -> ControlDirectory {
    try ControlDirectory(name: name, in: self)
  }

  /// The cgroup at a path below this directory.
  package borrowing func descend(_ names: some Collection<String>) throws(CgroupFileError) -> ControlDirectory {
    guard let first = names.first else { return try ControlDirectory(root: path) }
    var current = try subdirectory(first)
    for name in names.dropFirst() { current = try current.subdirectory(name) }
    return current
  }

  package borrowing func has(_ file: String) -> Bool { faccessat(descriptor, file, F_OK, 0) == 0 }

  /// A cgroup that was removed while held open has lost its files, this one of every version included.
  package var isGone: Bool { !has("cgroup.procs") }

  /// The whole file. Control files are small; `cgroup.procs` of a crowded cgroup is the largest.
  package borrowing func read(_ file: String) throws(CgroupFileError) -> [UInt8] {
    let source = openat(descriptor, file, O_RDONLY | O_CLOEXEC)
    guard source >= 0 else { throw CgroupFileError(.open, "\(path)/\(file)", errno: errno) }
    defer { Glibc.close(source) }
    var contents: [UInt8] = []
    let block = 4096
    while contents.count < ControlDirectory.sizeLimit {
      var count = 0
      var code: Int32 = 0
      let block = [UInt8](unsafeUninitializedCapacity: block) { buffer, filled in
        repeat { count = Glibc.read(source, buffer.baseAddress, buffer.count) } while count < 0 && errno == EINTR
        code = errno
        filled = max(count, 0)
      }
      guard count >= 0 else { throw CgroupFileError(.read, "\(path)/\(file)", errno: code) }
      if count == 0 { return contents }
      contents += block
    }
    throw CgroupFileError(.read, "\(path)/\(file)", errno: EFBIG)
  }

  /// 4 million process ids, the kernel's limit, of 8 bytes.
  private static let sizeLimit = 32 << 20

  /// Hands the kernel one value in one `write`; the file must exist.
  package borrowing func write(_ file: String, _ value: String) throws(CgroupFileError) {
    // O_TRUNC means nothing to a control file and keeps a stand-in file free of an older, longer value's tail.
    let target = openat(descriptor, file, O_WRONLY | O_TRUNC | O_CLOEXEC)
    guard target >= 0 else { throw CgroupFileError(.write, "\(path)/\(file)", data: value, errno: errno) }
    defer { Glibc.close(target) }
    var text = value
    let (count, code, length) = text.withUTF8 { bytes in
      var count = 0
      repeat { count = Glibc.write(target, bytes.baseAddress, bytes.count) } while count < 0 && errno == EINTR
      return (count, errno, bytes.count)
    }
    guard count >= 0 else { throw CgroupFileError(.write, "\(path)/\(file)", data: value, errno: code) }
    guard count == length else { throw CgroupFileError(.write, "\(path)/\(file)", data: value, errno: EIO) }
  }

  /// - Returns: whether it was made now; `false` when it was there.
  @discardableResult
  package borrowing func makeDirectory(_ name: String) throws(CgroupFileError) -> Bool {
    if mkdirat(descriptor, name, 0o755) == 0 { return true }
    guard errno == EEXIST else { throw CgroupFileError(.makeDirectory, "\(path)/\(name)", errno: errno) }
    return false
  }

  package borrowing func removeDirectory(_ name: String) throws(CgroupFileError) {
    guard unlinkat(descriptor, name, AT_REMOVEDIR) == 0 else {
      throw CgroupFileError(.removeDirectory, "\(path)/\(name)", errno: errno)
    }
  }

  /// Names of the directories directly below, sorted. Names that are not UTF-8 are left out: nobody can ask for them.
  package borrowing func subdirectories() throws(CgroupFileError) -> [String] {
    // A descriptor of its own: fdopendir takes it over, and two listings must not share a position.
    let listing = openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard listing >= 0 else { throw CgroupFileError(.list, path, errno: errno) }
    guard let stream = fdopendir(listing) else {
      let code = errno
      Glibc.close(listing)
      throw CgroupFileError(.list, path, errno: code)
    }
    defer { closedir(stream) }
    var names: [String] = []
    while true {
      errno = 0
      guard let entry = readdir(stream) else {
        guard errno == 0 else { throw CgroupFileError(.list, path, errno: errno) }
        return names.sorted()
      }
      // Every file system with cgroups, and every one tests run on, fills in the type.
      guard entry.pointee.d_type == UInt8(DT_DIR) else { continue }
      let name = withUnsafePointer(to: &entry.pointee.d_name) { raw in
        raw.withMemoryRebound(to: CChar.self, capacity: 256) { String(validatingCString: $0) }
      }
      if let name, name != ".", name != ".." { names.append(name) }
    }
  }

  /// Waits until the kernel reports a change of `file` (`cgroup.events` and the like) or the time is over.
  package borrowing func awaitChange(of file: String, milliseconds: Int32) {
    let source = openat(descriptor, file, O_RDONLY | O_CLOEXEC)
    guard source >= 0 else {
      poll(nil, 0, milliseconds)
      return
    }
    defer { Glibc.close(source) }
    // Changes are reported since the last read, so one has to happen.
    var byte: UInt8 = 0
    _ = Glibc.read(source, &byte, 1)
    var request = pollfd(fd: source, events: Int16(POLLPRI), revents: 0)
    poll(&request, 1, milliseconds)
  }
}
