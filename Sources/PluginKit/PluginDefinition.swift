import PluginAPI
import PluginNote

/// Who a backend is and how an instance is made: the one value a backend's `Entry.swift` declares.
///
/// ```swift
/// private let plugin = PluginDefinition(proxy: MyBackend.self, name: "mine", version: "0.1.0", summary: "what it does")
/// private let table = PluginEntry(plugin, descriptor: { plugin.descriptor }, create: { plugin.create($0, $1, $2, $3, $4, $5, $6) })
///
/// @c(swiftlet_entry_mine)
/// public func mineEntry(
///   _ hostMin: UInt32, _ hostMax: UInt32, _ major: UnsafeMutablePointer<UInt32>?,
///   _ entry: UnsafeMutablePointer<UnsafePointer<swl_entry_t>?>?
/// ) -> swl_status_t { table.negotiate(hostMin, hostMax, major, entry) }
/// ```
///
/// The two closures look superfluous but are the point: a C function pointer carries no context, so each backend needs its
/// own pair, and only a closure written at the place of use is one.
///
/// Keep it in a global: the descriptor and its texts live until the process ends and are never freed.
///
/// `@unchecked Sendable`: everything is set in `init` and never changes; the descriptor is constant memory from then on.
public final class PluginDefinition: @unchecked Sendable {
  enum Backend {
    case proxy(any ProxyPlugin)
    case cgroup(any CgroupPlugin)

    var life: any BackendPlugin {
      switch self {
      case .proxy(let plugin): plugin
      case .cgroup(let plugin): plugin
      }
    }
  }

  typealias Factory = @Sendable (HostServices, [String: String]) throws(BackendFault) -> Backend

  let name: String
  let kind: swl_kind_t
  /// What `get_interface` answers beside the ability of the kind: known before there is an instance.
  let abilities: Set<String>
  let factory: Factory

  /// Constant memory, valid until the process ends.
  public let descriptor: UnsafePointer<swl_descriptor_t>

  /// A proxy backend.
  /// - Parameters:
  ///   - name: as in the file name `libswiftlet_<name>.so` and the symbol `swiftlet_entry_<name>`.
  ///   - summary: one line, shown by `swiftlet plugins`.
  ///   - commit: of the source, empty when not known.
  public convenience init<Plugin: ProxyPlugin & SendableMetatype>(
    proxy: Plugin.Type, name: String, version: String, summary: String, vendor: String = "Swiftlet", commit: String = ""
  ) {
    var abilities: Set<String> = []
    if Plugin.self is any WatchingProxy.Type { abilities.insert(SWL_PROXY_WATCH) }
    if Plugin.self is any InspectableProxy.Type { abilities.insert(SWL_PROXY_INSPECT) }
    if Plugin.self is any TakeoverProxy.Type { abilities.insert(SWL_PROXY_TAKEOVER) }
    self.init(kind: SWL_KIND_PROXY, abilities: abilities, texts: [name, version, vendor, summary, commit]) {
      (host, configuration) throws(BackendFault) in .proxy(try Plugin(host: host, configuration: configuration))
    }
  }

  /// A cgroup backend; parameters as above.
  public convenience init<Plugin: CgroupPlugin & SendableMetatype>(
    cgroup: Plugin.Type, name: String, version: String, summary: String, vendor: String = "Swiftlet", commit: String = ""
  ) {
    self.init(kind: SWL_KIND_CGROUP, abilities: [], texts: [name, version, vendor, summary, commit]) {
      (host, configuration) throws(BackendFault) in .cgroup(try Plugin(host: host, configuration: configuration))
    }
  }

  private init(kind: swl_kind_t, abilities: Set<String>, texts: [String], factory: @escaping Factory) {
    let constant = texts.map(Immortal.cString)
    name = texts[0]
    self.kind = kind
    self.abilities = abilities
    self.factory = factory
    descriptor = Immortal.constant(
      swl_descriptor_t(
        struct_size: UInt32(MemoryLayout<swl_descriptor_t>.size), kind: kind, name: constant[0], version: constant[1],
        vendor: constant[2], summary: constant[3], runtime: swl_swift_runtime(), commit: constant[4],
        abi_major: SWL_ABI_MAJOR, abi_minor: SWL_ABI_MINOR))
  }
}

/// Memory that is written once and lives until the process ends, as the ABI asks of descriptors and tables.
enum Immortal {
  static func constant<Value: BitwiseCopyable>(_ value: Value) -> UnsafePointer<Value> {
    let place = UnsafeMutablePointer<Value>.allocate(capacity: 1)
    place.initialize(to: value)
    return UnsafePointer(place)
  }

  /// A NUL-terminated copy, cut at the first NUL inside.
  static func cString(_ text: String) -> UnsafePointer<CChar> {
    let bytes = text.utf8.prefix { $0 != 0 }
    let place = UnsafeMutableBufferPointer<CChar>.allocate(capacity: bytes.count + 1)
    for (index, byte) in bytes.enumerated() { place[index] = CChar(bitPattern: byte) }
    place[bytes.count] = 0
    return UnsafePointer(place.baseAddress.unsafelyUnwrapped)
  }
}
