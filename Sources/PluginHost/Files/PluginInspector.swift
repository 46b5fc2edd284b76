import Glibc

/// Everything that can be said against a plugin before `dlopen`, in order: it exists, is a regular file, is trusted, is a
/// shared library for this machine and this Swift runtime, and offers its entry symbol.
struct PluginInspector: Sendable {
  struct Finding: Sendable, Hashable {
    /// Without symbolic links: what is given to `dlopen`.
    var path: String
    var identity: FileIdentity
    /// Set when the file is untrusted and was accepted all the same: what is wrong with it.
    var distrust: String?
  }

  var trust: TrustPolicy
  /// The developer's switch: an untrusted file is loaded with a warning.
  var allowUntrusted: Bool
  /// The tag of this process, "swift-6.3.1".
  var ownRuntime: String
  var files: FileSystemView = .real

  /// A library larger than this is a mistake.
  private static let largestFile = 512 << 20

  /// Reads the file; blocks on the disk.
  func inspect(_ plugin: LocatedPlugin) throws(PluginRefusal) -> Finding {
    let walk = try walk(to: plugin)
    guard let last = walk.steps.last, last.facts.kind == .regular else {
      let isDirectory = walk.steps.last?.facts.kind == .directory
      throw PluginRefusal(
        .notRegular, plugin.path, isDirectory ? "it is a directory" : "it is not a regular file", "name the library itself")
    }
    let distrust = walk.violation(of: trust)
    if let distrust, !allowUntrusted {
      throw PluginRefusal(
        .untrusted, plugin.path, distrust, "a plugin gets all rights of this daemon: let root own it and nobody else write there")
    }
    let image = try image(of: plugin, at: walk.resolved, identity: last.facts.identity)
    try check(image, of: plugin)
    return Finding(path: walk.resolved, identity: last.facts.identity, distrust: distrust)
  }

  private func walk(to plugin: LocatedPlugin) throws(PluginRefusal) -> PathWalk {
    do {
      return try PathWalk(plugin.path, in: files)
    } catch let failure {
      switch failure {
      case .failed(let path, let error) where error.code == ENOENT || error.code == ENOTDIR:
        let place = path == plugin.path ? "" : " (\(path) is missing)"
        throw PluginRefusal(.missing, plugin.path, "no such file\(place)", "check the path")
      case .failed(let path, let error):
        throw PluginRefusal(.unreadable, plugin.path, "\(path): \(error)", "let this daemon read it")
      case .tooManyLinks:
        throw PluginRefusal(.unreadable, plugin.path, "too many symbolic links", "name the library itself")
      }
    }
  }

  private func image(
    of plugin: LocatedPlugin, at path: String, identity: FileIdentity
  ) throws(PluginRefusal) -> ELFImage {
    let bytes: [UInt8]
    do {
      bytes = try Self.contents(of: path, size: identity.size)
    } catch let error {
      throw PluginRefusal(.unreadable, plugin.path, "\(error)", "let this daemon read it")
    }
    do {
      return try ELFImage(bytes: bytes)
    } catch let fault {
      switch fault {
      case .notELF: throw PluginRefusal(.notELF, plugin.path, "not an ELF file", "build it as a shared library")
      case .unsuitable(let what): throw PluginRefusal(.notELF, plugin.path, what, "build it as a 64-bit shared library")
      case .damaged(let how): throw PluginRefusal(.damaged, plugin.path, "damaged ELF file: \(how)", "install it again")
      }
    }
  }

  private static func contents(of path: String, size: Int64) throws(SystemError) -> [UInt8] {
    guard size <= largestFile else { throw SystemError(EFBIG) }
    let file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    guard file >= 0 else { throw SystemError(errno) }
    defer { close(file) }
    var failure: Int32 = 0
    let bytes = [UInt8](unsafeUninitializedCapacity: Int(size)) { buffer, count in
      while count < buffer.count {
        let got = read(file, buffer.baseAddress.map { $0 + count }, buffer.count - count)
        if got < 0, errno == EINTR { continue }
        if got < 0 { failure = errno }
        guard got > 0 else { return }
        count += got
      }
    }
    guard failure == 0 else { throw SystemError(failure) }
    return bytes
  }

  private func check(_ image: ELFImage, of plugin: LocatedPlugin) throws(PluginRefusal) {
    guard image.machine == ELFImage.ownMachine else {
      let own = ELFImage.machineName(ELFImage.ownMachine)
      throw PluginRefusal(
        .wrongArchitecture, plugin.path, "built for \(ELFImage.machineName(image.machine)), this machine is \(own)",
        "install the build for \(own)")
    }
    if let runtime = image.runtime { try Self.check(runtime: runtime, own: ownRuntime, of: plugin) }
    let symbol = ELFImage.symbolPrefix + plugin.name
    guard let entries = image.entries, !entries.contains(symbol) else { return }
    let others = entries.isEmpty ? "" : " but \(entries.sorted().joined(separator: ", "))"
    throw PluginRefusal(
      .noSymbol, plugin.path, "it does not export \(symbol)\(others)", "the file name and the entry symbol must agree")
  }

  /// Swift's ABI is not stable on Linux: a plugin in Swift must come from the same compiler. Other languages are free.
  static func check(
    runtime: String, own: String, of plugin: LocatedPlugin, descriptor: PluginDescriptor? = nil
  ) throws(PluginRefusal) {
    guard runtime.hasPrefix("swift-"), runtime != own else { return }
    throw PluginRefusal(
      .foreignRuntime, plugin.path, "built with \(runtime), this swiftlet with \(own)",
      "rebuild it with the same Swift compiler", descriptor: descriptor)
  }
}
