import PluginAPI
import ServiceProxy

/// A loaded proxy backend as the service proxy sees it.
public struct ProxyPluginAdapter: ProxyBackend {
  public let plugin: LoadedPlugin

  /// - Parameter plugin: whose kind is proxy; else `nil`.
  public init?(_ plugin: LoadedPlugin) {
    guard plugin.descriptor.kind == .proxy else { return nil }
    self.plugin = plugin
  }

  public var name: String { plugin.descriptor.name }

  public func start() async throws(ProxyBackendError) {
    do { try await plugin.start() } catch let error { throw ProxyBackendError(error) }
  }

  public func sync(_ batch: ProxyBatch) async throws(ProxyBackendError) -> ProxySyncReport {
    do {
      return try await plugin.call("sync generation \(batch.generation)", deadline: plugin.deadlines.sync) { instance, error in
        let collector = FailureCollector()
        // Laid out here, on the backend's thread: a large batch must not hold a thread of Swift's pool.
        let arena = ProxyBatchArena(batch)
        let status = arena.withBatch { raw in
          withExtendedLifetime(collector) {
            instance.proxy.sync(
              instance.handle, raw, FailureCollector.sink, Unmanaged.passUnretained(collector).toOpaque(), error)
          }
        }
        // What a load needed on its way is given back: for megabytes of rules in text the allocator would keep them for ever.
        if batch.complete { Allocator.giveBack() }
        return (status, ProxySyncReport(failures: collector.failures))
      }
    } catch let error {
      throw ProxyBackendError(error)
    }
  }

  public func stop() async { await plugin.stop() }

  public func cleanup() async throws(ProxyBackendError) -> [String] {
    do { return try await plugin.cleanup() } catch let error { throw ProxyBackendError(error) }
  }

  public func ownedObjects() async throws(ProxyBackendError) -> [String] {
    do { return try await plugin.listOwned() } catch let error { throw ProxyBackendError(error) }
  }
}

/// The further abilities, for backends that have them.
extension ProxyPluginAdapter {
  public func disturbances() async throws(ProxyBackendError) -> AsyncStream<Void>? {
    let descriptor: Int32? = try await call("watch", deadline: plugin.deadlines.list) { instance, _ in
      (SWL_OK, instance.watch.map { $0.descriptor(instance.handle) })
    }
    guard let descriptor else { return nil }
    return descriptor < 0 ? Self.ticks : DescriptorWatch.events(of: descriptor)
  }

  /// For what the kernel has no event for: often enough to notice within a second.
  private static var ticks: AsyncStream<Void> {
    AsyncStream {
      try? await Task.sleep(for: .milliseconds(500))
      return Task.isCancelled ? nil : ()
    }
  }

  public func examine(thorough: Bool) async throws(ProxyBackendError) -> [String] {
    try await call(thorough ? "examine everything" : "examine", deadline: plugin.deadlines.sync) { instance, error in
      guard let watch = instance.watch else { return (SWL_OK, []) }
      return NameCollector.collect { watch.examine(instance.handle, thorough ? 1 : 0, $0, $1, error) }
    }
  }

  public func explain(_ key: String) async throws(ProxyBackendError) -> [String]? {
    try await call("explain \(key)", deadline: plugin.deadlines.list) { instance, error in
      guard let inspect = instance.inspect else { return (SWL_OK, nil) }
      let (status, lines) = NameCollector.collect { sink, context in
        key.withABIString { inspect.explain(instance.handle, $0, sink, context, error) }
      }
      return status == SWL_NOT_FOUND ? (SWL_OK, nil) : (status, lines)
    }
  }

  public func counters(_ key: String?) async throws(ProxyBackendError) -> [String: ServicePortCounters] {
    try await call("counters", deadline: plugin.deadlines.list) { instance, error in
      guard let inspect = instance.inspect else { return (SWL_OK, [:]) }
      let collector = CounterCollector()
      let status = withExtendedLifetime(collector) {
        (key ?? "").withABIString {
          inspect.counters(instance.handle, $0, CounterCollector.sink, Unmanaged.passUnretained(collector).toOpaque(), error)
        }
      }
      return status == SWL_NOT_FOUND ? (SWL_OK, [:]) : (status, collector.counters)
    }
  }

  public func plan(_ batch: ProxyBatch) async throws(ProxyBackendError) -> [String] {
    try await call("plan", deadline: plugin.deadlines.sync) { instance, error in
      guard let inspect = instance.inspect else {
        return (PluginInstance.unsupported(error, "this backend cannot show what it would do"), [])
      }
      let arena = ProxyBatchArena(batch)
      return arena.withBatch { raw in NameCollector.collect { inspect.plan(instance.handle, raw, $0, $1, error) } }
    }
  }

  public func foreignObjects() async throws(ProxyBackendError) -> [String] {
    try await call("list what kube-proxy left", deadline: plugin.deadlines.list) { instance, error in
      guard let takeover = instance.takeover else { return (SWL_OK, []) }
      return NameCollector.collect { takeover.list(instance.handle, $0, $1, error) }
    }
  }

  public func removeForeignObjects() async throws(ProxyBackendError) -> [String] {
    try await call("remove what kube-proxy left", deadline: plugin.deadlines.cleanup) { instance, error in
      guard let takeover = instance.takeover else { return (SWL_OK, []) }
      return NameCollector.collect { takeover.remove(instance.handle, $0, $1, error) }
    }
  }

  private func call<Value: Sendable>(
    _ operation: String, deadline: Duration,
    _ body: @escaping @Sendable (PluginInstance, UnsafeMutablePointer<swl_error_t>) -> (swl_status_t, Value)
  ) async throws(ProxyBackendError) -> Value {
    do { return try await plugin.call(operation, deadline: deadline, body) } catch let error { throw ProxyBackendError(error) }
  }
}

/// Takes the counters a backend emits.
private final class CounterCollector {
  private(set) var counters: [String: ServicePortCounters] = [:]

  static let sink: swl_proxy_counters_fn = { context, key, raw in
    guard let context, let raw else { return }
    let collector = Unmanaged<CounterCollector>.fromOpaque(context).takeUnretainedValue()
    collector.counters[key.hostText] = ServicePortCounters(raw)
  }
}

extension ServicePortCounters {
  /// Reads as much as the plugin filled; a missing tail is "not counted".
  fileprivate init(_ place: UnsafePointer<swl_proxy_counters_t>) {
    let filled = Int(place.pointee.struct_size)
    func value(_ field: KeyPath<swl_proxy_counters_t, UInt64>) -> UInt64? {
      guard let offset = MemoryLayout<swl_proxy_counters_t>.offset(of: field), offset + 8 <= filled else { return nil }
      let value = UnsafeRawPointer(place).load(fromByteOffset: offset, as: UInt64.self)
      return value == .max ? nil : value
    }
    self.init(
      connections: value(\.connections), packets: value(\.packets), bytes: value(\.bytes), noEndpoint: value(\.no_endpoint),
      sourceRefused: value(\.source_refused))
  }
}

extension String {
  /// The text as the ABI passes it; valid until `body` returns.
  fileprivate func withABIString<Result>(_ body: (swl_string_t) -> Result) -> Result {
    var copy = self
    return copy.withUTF8 { bytes in
      bytes.withMemoryRebound(to: CChar.self) { body(swl_string_t(data: $0.baseAddress, length: UInt64($0.count))) }
    }
  }
}

/// Takes the service ports a sync reports as failed.
private final class FailureCollector {
  private(set) var failures: [String: String] = [:]

  static let sink: swl_proxy_failure_fn = { context, key, reason in
    guard let context else { return }
    let collector = Unmanaged<FailureCollector>.fromOpaque(context).takeUnretainedValue()
    collector.failures[key.hostText] = reason.map(FailureCollector.text) ?? "no reason given"
  }

  /// Only the first `struct_size` bytes of the plugin's struct are there.
  private static func text(_ reason: UnsafePointer<swl_error_t>) -> String {
    let size = Int(reason.pointee.struct_size)
    guard size >= MemoryLayout<swl_error_t>.size else { return "no reason given" }
    let words = PluginCallError.message(in: reason)
    let message = words.isEmpty ? (PluginStatus(rawValue: reason.pointee.status) ?? .internal).words : words
    return reason.pointee.os_errno == 0 ? message : "\(message) (errno \(reason.pointee.os_errno))"
  }
}

extension ProxyBackendError {
  init(_ error: PluginCallError) {
    let code: Code =
      switch error.code {
      case .hung: .hung
      case .answered(.retry), .answered(.cancelled): .retry
      case .answered, .closed: .failed
      }
    self.init(code: code, operation: error.operation, message: error.message, osErrno: error.osErrno)
  }
}
