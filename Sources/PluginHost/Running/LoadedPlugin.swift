import Logging
import PluginAPI
import Synchronization

/// A backend that was loaded, initialised and found usable; `ProxyPluginAdapter` and `CgroupPluginAdapter` show it to the
/// cores. Must be closed.
public final class LoadedPlugin: Sendable {
  public let descriptor: PluginDescriptor
  public let file: LocatedPlugin
  let thread: BackendThread
  let deadlines: PluginDeadlines
  private let instance: PluginInstance
  private let context: HostContext
  private let quarantine: Quarantine?
  private let state = Mutex(State())

  private struct State {
    var isStarted = false
    var isSettled = false
    var isClosed = false
  }

  init(
    library: PluginLibrary, file: LocatedPlugin, instance: PluginInstance, context: HostContext, thread: BackendThread,
    deadlines: PluginDeadlines, quarantine: Quarantine?
  ) {
    descriptor = library.descriptor
    self.file = file
    self.instance = instance
    self.context = context
    self.thread = thread
    self.deadlines = deadlines
    self.quarantine = quarantine
  }

  /// The numbers of all plugins of the loader that loaded this one.
  public var metrics: PluginMetrics { context.metrics }

  /// Runs one call of the plugin on its thread.
  /// - Parameters:
  ///   - operation: without the backend's name: "sync generation 12".
  ///   - body: gets the instance and a cleared error buffer; returns the plugin's status and what else came out.
  func call<Value: Sendable>(
    _ operation: String, deadline: Duration, isCancellable: Bool = true,
    _ body: @escaping @Sendable (PluginInstance, UnsafeMutablePointer<swl_error_t>) -> (swl_status_t, Value)
  ) async throws(PluginCallError) -> Value {
    let title = "\(descriptor.name): \(operation)"
    let result: Result<Value, PluginCallError>
    do {
      result = try await thread.call(operation, deadline: deadline, isCancellable: isCancellable) { [instance, context] in
        var value: Value?
        let outcome = PluginInstance.attempt(title) { error in
          let (status, produced) = body(instance, error)
          if status == SWL_OK { value = produced }
          if PluginStatus(rawValue: status) == nil { context.blame("answered \(operation) with \(PluginStatus.name(of: status))") }
          return status
        }
        switch (outcome, value) {
        case (.success, let value?): return .success(value)
        case (.failure(let error), _): return .failure(error)
        case (.success, nil): return .failure(PluginCallError(code: .answered(.internal), operation: title, message: "no answer"))
        }
      }
    } catch let error {
      throw PluginCallError(error, operation: title)
    }
    return try result.get()
  }

  // MARK: Life cycle

  func start() async throws(PluginCallError) {
    try await call("start", deadline: deadlines.start) { [self] instance, error in
      let status = instance.table.pointee.start(instance.handle, error)
      state.withLock { if status == SWL_OK { $0.isStarted = true } }
      settle()
      return (status, ())
    }
  }

  /// Ends work if it was started. What hangs is left alone.
  func stop() async {
    guard state.withLock({ $0.isStarted }) else { return }
    let outcome = await Result.catching { () async throws(PluginCallError) in
      try await call("stop", deadline: deadlines.stop, isCancellable: false) { [self] instance, _ in
        instance.table.pointee.stop(instance.handle)
        state.withLock { $0.isStarted = false }
        return (SWL_OK, ())
      }
    }
    if case .failure(let error) = outcome {
      context.logger.warning("\(error.operation): \(error.message)", metadata: ["plugin": "\(descriptor.name)"])
    }
  }

  func cleanup() async throws(PluginCallError) -> [String] {
    try await call("cleanup", deadline: deadlines.cleanup) { instance, error in
      NameCollector.collect { instance.table.pointee.cleanup(instance.handle, $0, $1, error) }
    }
  }

  func listOwned() async throws(PluginCallError) -> [String] {
    try await call("list", deadline: deadlines.list) { instance, error in
      NameCollector.collect { instance.table.pointee.list_owned(instance.handle, $0, $1, error) }
    }
  }

  /// The load did not kill the process: its marker goes. Does file I/O.
  func settle() {
    let isFirst = state.withLock { state in
      defer { state.isSettled = true }
      return !state.isSettled
    }
    if isFirst { quarantine?.end(file) }
  }

  /// Stops, destroys the instance and ends its thread. A backend that hangs is left alone: nothing can be done for it.
  public func close() async {
    let isFirst = state.withLock { state in
      defer { state.isClosed = true }
      return !state.isClosed
    }
    guard isFirst else { return }
    await stop()
    let outcome = await Result.catching { () async throws(PluginCallError) in
      try await call("destroy", deadline: deadlines.stop, isCancellable: false) { [self] instance, _ in
        instance.table.pointee.destroy(instance.handle)
        context.close()
        settle()
        return (SWL_OK, ())
      }
    }
    if case .failure(let error) = outcome {
      context.logger.warning(
        "\(error.operation): \(error.message); left as it is", metadata: ["plugin": "\(descriptor.name)"])
      settle()
    }
    await thread.shutDown(deadline: deadlines.shutDown)
  }
}

/// Takes the names a plugin emits into a sink.
final class NameCollector {
  private(set) var names: [String] = []

  /// Calls `body` with a sink and its context; returns its status and the names.
  static func collect(_ body: (swl_name_sink_fn, UnsafeMutableRawPointer) -> swl_status_t) -> (swl_status_t, [String]) {
    let collector = NameCollector()
    let status = withExtendedLifetime(collector) {
      body(
        { context, name in
          guard let context else { return }
          Unmanaged<NameCollector>.fromOpaque(context).takeUnretainedValue().names.append(name.hostText)
        }, Unmanaged.passUnretained(collector).toOpaque())
    }
    return (status, collector.names)
  }
}

extension Result {
  /// The outcome of an asynchronous body as a value.
  static func catching(_ body: () async throws(Failure) -> Success) async -> Result {
    do { return .success(try await body()) } catch let error { return .failure(error) }
  }
}
