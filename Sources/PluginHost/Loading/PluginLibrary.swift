import Glibc
import PluginAPI
import Synchronization

/// One library opened with `dlopen` and negotiated with; never closed. The same file asked for twice is the same value.
///
/// `@unchecked Sendable`: points to a table the ABI keeps constant until the process ends and whose functions are `[any]`.
struct PluginLibrary: @unchecked Sendable {
  let file: LocatedPlugin
  let identity: FileIdentity
  let entry: UnsafePointer<swl_entry_t>
  let descriptor: PluginDescriptor

  /// What this process has opened, by path without symbolic links. The lock is held over `dlopen`, which the dynamic
  /// linker serialises anyway.
  private static let opened = Mutex<[String: PluginLibrary]>([:])

  /// Opens, negotiates and reads the descriptor. Runs the library's constructors: on the backend's thread only.
  static func open(
    _ file: LocatedPlugin, _ finding: PluginInspector.Finding, ownRuntime: String
  ) throws(PluginRefusal) -> PluginLibrary {
    let result: Result<PluginLibrary, PluginRefusal> = opened.withLock { opened in
      if let known = opened[finding.path] {
        guard known.identity == finding.identity else {
          return .failure(
            PluginRefusal(
              .replaced, file.path, "the file was replaced after this process had loaded it", "restart swiftlet to use the new one"))
        }
        return .success(known)
      }
      return Result { () throws(PluginRefusal) in
        let library = try PluginLibrary(opening: file, finding, ownRuntime: ownRuntime)
        opened[finding.path] = library
        return library
      }
    }
    return try result.get()
  }

  private init(opening file: LocatedPlugin, _ finding: PluginInspector.Finding, ownRuntime: String) throws(PluginRefusal) {
    self.file = file
    identity = finding.identity
    guard let handle = dlopen(finding.path, RTLD_NOW | RTLD_LOCAL | Int32(RTLD_NODELETE)) else {
      let words = dlerror().map { String(cString: $0) } ?? "no reason given"
      throw PluginRefusal(.notLoadable, file.path, "the dynamic linker says: \(words)", "install what it needs")
    }
    let symbol = ELFImage.symbolPrefix + file.name
    guard let address = dlsym(handle, symbol) else {
      throw PluginRefusal(
        .noSymbol, file.path, "it does not export \(symbol)", "the file name and the entry symbol must agree")
    }
    let negotiation = PluginNegotiation(file: file)
    entry = try negotiation.entry(from: unsafeBitCast(address, to: swl_entry_fn.self))
    descriptor = try negotiation.descriptor(from: entry)
    try PluginInspector.check(runtime: descriptor.runtime, own: ownRuntime, of: file, descriptor: descriptor)
  }
}
