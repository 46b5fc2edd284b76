import Logging
import Synchronization

/// What a plugin's `swl_host_t` points to: the host's side of one instance.
///
/// Never freed, about a hundred bytes per instance ever made: a plugin thread that calls late, against the rules, then finds
/// a closed context instead of freed memory.
final class HostContext: Sendable {
  /// When the host may be called; see the life cycle in `swiftlet/entry.h`.
  enum Phase: UInt8, AtomicRepresentable {
    /// Inside `create`: not at all.
    case creating
    /// Inside `init`: metrics may be defined.
    case initialising
    case open
    /// `destroy` has returned, or the instance was given up.
    case closed
  }

  let plugin: String
  let logger: Logger
  let metrics: PluginMetrics
  /// `nil` once the instance is gone.
  private let thread: Mutex<BackendThread?>
  private let phase = Atomic<Phase>(.creating)
  private let hasCalledLate = Atomic<Bool>(false)
  private let hasCallbackPending = Atomic<Bool>(false)
  /// Runs the plugin's `on_callback`.
  private let callback = Mutex<(@Sendable () -> Void)?>(nil)

  private static let callbackDeadline = Duration.seconds(30)

  init(plugin: String, logger: Logger, metrics: PluginMetrics, thread: BackendThread) {
    self.plugin = plugin
    self.logger = logger
    self.metrics = metrics
    self.thread = Mutex(thread)
  }

  /// The handle for the plugin. Once per context: it keeps the context for ever.
  func immortalHandle() -> OpaquePointer { OpaquePointer(Unmanaged.passRetained(self).toOpaque()) }

  static func of(_ handle: OpaquePointer?) -> HostContext? {
    handle.map { Unmanaged<HostContext>.fromOpaque(UnsafeRawPointer($0)).takeUnretainedValue() }
  }

  // MARK: Life cycle

  func enterInit() { phase.store(.initialising, ordering: .sequentiallyConsistent) }

  /// Init came back. Does nothing when it came back too late and the instance was given up meanwhile.
  func open(callback: @escaping @Sendable () -> Void) {
    let isInTime = phase.compareExchange(expected: .initialising, desired: .open, ordering: .sequentiallyConsistent).exchanged
    if isInTime { self.callback.withLock { $0 = callback } }
  }

  func close() {
    phase.store(.closed, ordering: .sequentiallyConsistent)
    callback.withLock { $0 = nil }
    thread.withLock { $0 = nil }
  }

  // MARK: Services; any thread

  /// Whether the host may be called at all; a call that may not be made is the plugin's fault and is logged as such.
  func admits(_ function: String) -> Bool {
    switch phase.load(ordering: .sequentiallyConsistent) {
    case .initialising, .open:
      return true
    case .creating:
      blame("called \(function) of the host inside create")
      return false
    case .closed:
      // Once: a thread that calls late may call often.
      if !hasCalledLate.exchange(true, ordering: .relaxed) {
        blame("called \(function) of the host after its instance was gone")
      }
      return false
    }
  }

  var isCancelled: Bool {
    // A call that was given up polls this to the end, which is no fault.
    guard phase.load(ordering: .sequentiallyConsistent) != .closed, admits("cancelled") else { return true }
    return thread.withLock { $0 }?.isCancelled ?? true
  }

  func requestCallback() {
    guard admits("request_callback"), hasCallbackPending.exchange(true, ordering: .sequentiallyConsistent) == false else { return }
    thread.withLock { $0 }?.post("on_callback", deadline: Self.callbackDeadline) { [self] in
      hasCallbackPending.store(false, ordering: .sequentiallyConsistent)
      callback.withLock { $0 }?()
    }
  }

  func defineMetric(kind: Int32, name: String, help: String) -> Result<UInt32, PluginMetrics.Fault>? {
    guard phase.load(ordering: .sequentiallyConsistent) == .initialising else {
      blame("defined the metric \(name) outside of init")
      return nil
    }
    let result = Result { () throws(PluginMetrics.Fault) in
      try metrics.define(plugin: plugin, kind: kind, name: name, help: help)
    }
    if case .failure(let fault) = result { blame("\(fault)") }
    return result
  }

  /// A record that says the plugin broke a rule of the ABI.
  func blame(_ what: String) {
    logger.error("PLUGIN_MISBEHAVING: backend \(plugin) \(what.onOneLine)", metadata: ["plugin": "\(plugin)", "blame": "plugin"])
  }
}
