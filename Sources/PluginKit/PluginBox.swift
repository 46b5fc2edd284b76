import PluginAPI

/// One instance of a backend as the host holds it: what `swl_plugin_t` points to.
///
/// Checks that each call is legal in the state the instance is in, so that a host's mistake is an answer and not a surprise
/// inside the backend. All calls are `[serial]`, which is what makes plain variables enough.
final class PluginBox {
  /// The life cycle drawn in `swiftlet/entry.h`: created → ready → started → ready …; created → spent when `init` failed.
  enum Phase: String { case created, ready, started, spent }

  let definition: PluginDefinition
  let host: HostBox
  private let configuration: [String: String]
  private(set) var phase = Phase.created
  private var backend: PluginDefinition.Backend?

  init(definition: PluginDefinition, host: HostBox, configuration: [String: String]) {
    self.definition = definition
    self.host = host
    self.configuration = configuration
  }

  /// The instance behind a handle of the host, which keeps owning it.
  static func of(_ handle: OpaquePointer?) -> PluginBox? {
    handle.map { Unmanaged<PluginBox>.fromOpaque(UnsafeRawPointer($0)).takeUnretainedValue() }
  }

  /// The backend, if a call is legal now.
  /// - Parameter phases: in which states it is.
  private func backend(for call: String, in phases: Phase...) throws(BackendFault) -> PluginDefinition.Backend {
    guard phases.contains(phase), let backend else {
      throw BackendFault(.invalid, "\(call): not legal now, the instance is \(phase.rawValue)")
    }
    return backend
  }

  func initialise() throws(BackendFault) {
    guard phase == .created else { throw BackendFault(.invalid, "init: not legal now, the instance is \(phase.rawValue)") }
    phase = .spent
    host.arm()
    backend = try definition.factory(HostServices(box: host), configuration)
    phase = .ready
  }

  func probe() throws(BackendFault) { try backend(for: "probe", in: .ready, .started).life.probe() }

  func start() throws(BackendFault) {
    try backend(for: "start", in: .ready).life.start()
    phase = .started
  }

  func stop() {
    guard phase == .started, let backend else { return }
    backend.life.stop()
    phase = .ready
  }

  func cleanup(_ removed: (String) -> Void) throws(BackendFault) {
    try backend(for: "cleanup", in: .ready).life.cleanup(removed: removed)
  }

  func listOwned(_ owned: (String) -> Void) throws(BackendFault) {
    try backend(for: "list_owned", in: .ready, .started).life.listOwned(owned)
  }

  func hostCallback() { backend?.life.hostCallback() }

  func end() {
    stop()
    host.disarm()
    backend = nil
    phase = .spent
  }

  func proxy(_ call: String) throws(BackendFault) -> any ProxyPlugin {
    guard case .proxy(let plugin) = try backend(for: call, in: .started) else {
      throw BackendFault(.unsupported, "\(call): \(definition.name) is no proxy backend")
    }
    return plugin
  }

  /// A proxy backend's further ability.
  /// - Parameter needsStart: else legal from `init` on.
  func ability<Ability>(_ type: Ability.Type, _ call: String, needsStart: Bool = true) throws(BackendFault) -> Ability {
    let life: any BackendPlugin =
      if needsStart { try backend(for: call, in: .started).life } else { try backend(for: call, in: .ready, .started).life }
    guard let ability = life as? Ability else {
      throw BackendFault(.unsupported, "\(call): \(definition.name) cannot do this")
    }
    return ability
  }

  func cgroup(_ call: String) throws(BackendFault) -> any CgroupPlugin {
    guard case .cgroup(let plugin) = try backend(for: call, in: .started) else {
      throw BackendFault(.unsupported, "\(call): \(definition.name) is no cgroup backend")
    }
    return plugin
  }
}
