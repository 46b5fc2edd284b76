import PluginAPI

/// One instance as C sees it: table, handle and the table of its kind's ability, all checked for missing functions.
///
/// `@unchecked Sendable`: the tables are constant until the process ends; the handle is used only on the instance's own
/// `BackendThread`, which is what `[serial]` asks for.
struct PluginInstance: @unchecked Sendable {
  let table: UnsafePointer<swl_plugin_table_t>
  let handle: OpaquePointer
  private let ability: UnsafeRawPointer
  /// Further abilities of a proxy; `nil`: the plugin has none such.
  let watch: swl_proxy_watch_t?
  let inspect: swl_proxy_inspect_t?
  let takeover: swl_proxy_takeover_t?

  /// Only for a plugin whose kind is proxy.
  var proxy: swl_proxy_sync_t { ability.assumingMemoryBound(to: swl_proxy_sync_t.self).pointee }
  /// Only for a plugin whose kind is cgroup.
  var cgroup: swl_cgroup_control_t { ability.assumingMemoryBound(to: swl_cgroup_control_t.self).pointee }

  /// Creates an instance of a library.
  init(
    _ library: PluginLibrary, host: OpaquePointer, configuration: [String: String]
  ) throws(PluginRefusal) {
    var table: UnsafePointer<swl_plugin_table_t>?
    var handle: OpaquePointer?
    let outcome = Self.attempt("create") { error in
      configuration.withPairs { pairs in
        library.entry.pointee.create(HostTables.host, host, pairs.baseAddress, UInt64(pairs.count), &table, &handle, error)
      }
    }
    let path = library.file.path
    if case .failure(let error) = outcome {
      throw PluginRefusal(
        .createFailed, path, "create failed: \(error.message)", "correct its configuration", descriptor: library.descriptor)
    }
    func misbehaved(_ what: String) -> PluginRefusal {
      PluginRefusal(.misbehaved, path, what, "report this to the plugin's maker", descriptor: library.descriptor)
    }
    guard let table else { throw misbehaved("create answered without a table") }
    guard let handle else { throw misbehaved("create answered without an instance") }
    if let missing = Self.missing(in: table.pointee) { throw misbehaved("its plugin table lacks \(missing)") }
    let kind = library.descriptor.kind
    guard let ability = table.pointee.get_interface(handle, kind.ability) else {
      throw misbehaved("it lacks the ability \(kind.ability), which every \(kind) backend must have")
    }
    func further<Table>(_ id: String, _ type: Table.Type) -> Table? {
      guard kind == .proxy else { return nil }
      return table.pointee.get_interface(handle, id)?.assumingMemoryBound(to: type).pointee
    }
    watch = further(SWL_PROXY_WATCH, swl_proxy_watch_t.self)
    inspect = further(SWL_PROXY_INSPECT, swl_proxy_inspect_t.self)
    takeover = further(SWL_PROXY_TAKEOVER, swl_proxy_takeover_t.self)
    self.table = table
    self.handle = handle
    self.ability = ability
    if let missing = kind == .proxy ? Self.missing(in: proxy) : Self.missing(in: cgroup) {
      throw misbehaved("its table \(kind.ability) lacks \(missing)")
    }
    let gaps = [
      watch.map { (SWL_PROXY_WATCH, $0.descriptor == nil || $0.examine == nil) },
      inspect.map { (SWL_PROXY_INSPECT, $0.explain == nil || $0.counters == nil || $0.plan == nil) },
      takeover.map { (SWL_PROXY_TAKEOVER, $0.list == nil || $0.remove == nil) },
    ]
    if let (id, _) = gaps.compactMap({ $0 }).first(where: { $0.1 }) { throw misbehaved("its table \(id) lacks a function") }
  }

  /// Calls the plugin with a fresh error buffer.
  static func attempt(
    _ operation: String, _ body: (UnsafeMutablePointer<swl_error_t>) -> swl_status_t
  ) -> Result<Void, PluginCallError> {
    withUnsafeTemporaryAllocation(of: swl_error_t.self, capacity: 1) { buffer in
      var clear = swl_error_t()
      clear.struct_size = UInt32(MemoryLayout<swl_error_t>.size)
      buffer.initialize(repeating: clear)
      let place = buffer.baseAddress.unsafelyUnwrapped
      let status = body(place)
      return status == SWL_OK ? .success(()) : .failure(PluginCallError(status: status, error: place, operation: operation))
    }
  }

  /// The host's own answer where a plugin lacks an ability.
  static func unsupported(_ error: UnsafeMutablePointer<swl_error_t>, _ message: String) -> swl_status_t {
    error.pointee.status = SWL_UNSUPPORTED
    withUnsafeMutableBytes(of: &error.pointee.message) { $0.copyBytes(from: message.utf8.prefix($0.count - 1)) }
    return SWL_UNSUPPORTED
  }

  private static func missing(in table: swl_plugin_table_t) -> String? {
    let functions: [(String, Bool)] = [
      ("get_interface", table.get_interface == nil), ("init", table.`init` == nil), ("probe", table.probe == nil),
      ("start", table.start == nil), ("stop", table.stop == nil), ("cleanup", table.cleanup == nil),
      ("list_owned", table.list_owned == nil), ("on_callback", table.on_callback == nil), ("destroy", table.destroy == nil),
    ]
    return functions.first { $0.1 }?.0
  }

  private static func missing(in table: swl_proxy_sync_t) -> String? { table.sync == nil ? "sync" : nil }

  private static func missing(in table: swl_cgroup_control_t) -> String? {
    let functions: [(String, Bool)] = [
      ("create", table.create == nil), ("set", table.set == nil), ("usage", table.usage == nil),
      ("processes", table.processes == nil), ("kill", table.kill == nil), ("remove", table.remove == nil),
      ("children", table.children == nil),
    ]
    return functions.first { $0.1 }?.0
  }
}

extension [String: String] {
  /// The entries as the ABI wants them, by key; valid until `body` returns.
  func withPairs<Result>(_ body: (UnsafeBufferPointer<swl_pair_t>) -> Result) -> Result {
    var bytes: [UInt8] = []
    var ranges: [(Range<Int>, Range<Int>)] = []
    for (key, value) in sorted(by: { $0.key < $1.key }) {
      let start = bytes.count
      bytes.append(contentsOf: key.utf8)
      let middle = bytes.count
      bytes.append(contentsOf: value.utf8)
      ranges.append((start..<middle, middle..<bytes.count))
    }
    return bytes.withUnsafeBytes { buffer in
      func string(_ range: Range<Int>) -> swl_string_t {
        let base = buffer.baseAddress.map { ($0 + range.lowerBound).assumingMemoryBound(to: CChar.self) }
        return swl_string_t(data: base, length: UInt64(range.count))
      }
      return ranges.map { swl_pair_t(key: string($0.0), value: string($0.1)) }.withUnsafeBufferPointer(body)
    }
  }
}
