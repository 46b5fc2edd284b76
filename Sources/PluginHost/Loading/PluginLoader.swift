import Glibc
import Logging
import PluginAPI
import PluginNote

/// Turns a located file into a loaded backend, or says in one line why not.
///
/// The order is fixed: everything that can be checked without running the library's code comes first (`PluginInspector`),
/// then the quarantine marker, then `dlopen`, negotiation, create, init and probe, each on the backend's own thread with a
/// deadline. Nothing is loaded that was not asked for by name or path.
public struct PluginLoader: Sendable {
  public struct Options: Sendable {
    public var trust = TrustPolicy(effectiveUser: geteuid())
    /// For developers only: load files and directories that others may write, with a loud warning.
    public var allowUntrusted = false
    /// Where quarantine markers are kept; `nil`: no quarantine (a command without a state directory).
    public var stateDirectory: String?
    /// Whether loading leaves markers; see `Quarantine`.
    public var marksLoads = true
    /// Whether a backend is asked if it can work here. Off for what needs no machine: showing a plan.
    public var asksProbe = true
    public var deadlines = PluginDeadlines()
    public var clock = DeadlineClock.real
    public var logger: Logger
    public var metrics = PluginMetrics()

    public init(logger: Logger) { self.logger = logger }
  }

  public let options: Options
  /// The tag of the compiler this process was built with.
  public static let ownRuntime = String(cString: swl_swift_runtime())

  public init(_ options: Options) { self.options = options }

  var quarantine: Quarantine? { options.stateDirectory.map { Quarantine(stateDirectory: $0, marks: options.marksLoads) } }

  /// Loads one backend and asks it whether it can work here.
  /// - Parameters:
  ///   - kind: what the caller needs; `nil` takes any.
  ///   - configuration: handed to the plugin, which refuses keys it does not know.
  public func load(
    _ file: LocatedPlugin, as kind: PluginKind?, configuration: [String: String] = [:]
  ) async throws(PluginRefusal) -> LoadedPlugin {
    let thread: BackendThread
    do {
      thread = try BackendThread(name: file.name, clock: options.clock, cameBack: reportLate(file.name))
    } catch let error {
      throw PluginRefusal(.notLoadable, file.path, "no thread for it: \(error)", "free some memory")
    }
    do throws(PluginRefusal) {
      return try await load(file, as: kind, configuration: configuration, on: thread)
    } catch let refusal {
      await thread.shutDown(deadline: options.deadlines.shutDown)
      throw refusal
    }
  }

  private func reportLate(_ name: String) -> @Sendable (String, Duration) -> Void {
    { [logger = options.logger] operation, duration in
      logger.warning("backend \(name) came back from \(operation) after \(duration.inSeconds)", metadata: ["plugin": "\(name)"])
    }
  }

  private func load(
    _ file: LocatedPlugin, as kind: PluginKind?, configuration: [String: String], on thread: BackendThread
  ) async throws(PluginRefusal) -> LoadedPlugin {
    let library = try await step("load", file, on: thread) { () throws(PluginRefusal) in try open(file, as: kind) }
    let context = HostContext(plugin: file.name, logger: options.logger, metrics: options.metrics, thread: thread)
    do throws(PluginRefusal) {
      let instance = try await step("create", file, on: thread) { () throws(PluginRefusal) in
        try PluginInstance(library, host: context.immortalHandle(), configuration: configuration)
      }
      let plugin = LoadedPlugin(
        library: library, file: file, instance: instance, context: context, thread: thread, deadlines: options.deadlines,
        quarantine: quarantine)
      do throws(PluginRefusal) {
        try await initialise(plugin, instance, context)
      } catch let refusal {
        await plugin.close()
        throw refusal
      }
      return plugin
    } catch let refusal {
      context.close()
      quarantine?.end(file)
      throw refusal
    }
  }

  /// Everything up to a negotiated library; blocks, and runs constructors.
  private func open(_ file: LocatedPlugin, as kind: PluginKind?) throws(PluginRefusal) -> PluginLibrary {
    let inspector = PluginInspector(trust: options.trust, allowUntrusted: options.allowUntrusted, ownRuntime: Self.ownRuntime)
    let finding = try inspector.inspect(file)
    if let distrust = finding.distrust {
      options.logger.warning(
        "UNTRUSTED plugin \(file.path) is loaded with all rights of this daemon although \(distrust)",
        metadata: ["plugin": "\(file.name)"])
    }
    if let unwritten = try quarantine?.begin(file, identity: finding.identity, kind: kind) {
      options.logger.warning(
        "no quarantine for plugin \(file.name): \(unwritten.onOneLine)", metadata: ["plugin": "\(file.name)"])
    }
    do throws(PluginRefusal) {
      let library = try PluginLibrary.open(file, finding, ownRuntime: Self.ownRuntime)
      guard let kind, kind != library.descriptor.kind else { return library }
      let actual = library.descriptor.kind
      throw PluginRefusal(
        .wrongKind, file.path, "it is a \(actual) backend, \(kind.flag) takes a \(kind) backend", "name it with \(actual.flag)",
        descriptor: library.descriptor)
    } catch let refusal {
      quarantine?.end(file)
      throw refusal
    }
  }

  /// Init and probe.
  private func initialise(
    _ plugin: LoadedPlugin, _ instance: PluginInstance, _ context: HostContext
  ) async throws(PluginRefusal) {
    let (file, descriptor) = (plugin.file, plugin.descriptor)
    let initialised = await Result.catching { () async throws(PluginCallError) in
      try await plugin.call("init", deadline: options.deadlines.load) { instance, error in
        context.enterInit()
        let status = instance.table.pointee.`init`(instance.handle, error)
        context.open { instance.table.pointee.on_callback(instance.handle) }
        return (status, ())
      }
    }
    if case .failure(let error) = initialised {
      throw refusal(.initFailed, file, "init", "init failed", error, "correct its configuration, or choose another", descriptor)
    }
    guard options.asksProbe else { return }
    let probed = await Result.catching { () async throws(PluginCallError) in
      try await plugin.call("probe", deadline: options.deadlines.probe) { instance, error in
        (instance.table.pointee.probe(instance.handle, error), ())
      }
    }
    if case .failure(let error) = probed {
      let without = descriptor.kind == .proxy ? ", or use --proxy-mode=none" : ""
      throw refusal(
        .unusable, file, "probe", "it cannot work here", error, "choose another with \(descriptor.kind.flag)\(without)", descriptor)
    }
  }

  private func refusal(
    _ code: PluginRefusal.Code, _ file: LocatedPlugin, _ step: String, _ what: String, _ error: PluginCallError, _ remedy: String,
    _ descriptor: PluginDescriptor
  ) -> PluginRefusal {
    let number = error.osErrno == 0 ? "" : " (errno \(error.osErrno))"
    switch error.code {
    case .answered:
      return PluginRefusal(code, file.path, "\(what): \(error.message)\(number)", remedy, descriptor: descriptor)
    case .hung, .closed:
      return PluginRefusal(
        .hung, file.path, "\(step) \(error.message)", "look in its log for what it waits for", descriptor: descriptor)
    }
  }

  /// Runs one step of loading on the thread.
  private func step<Value: Sendable>(
    _ operation: String, _ file: LocatedPlugin, on thread: BackendThread,
    _ body: @escaping @Sendable () throws(PluginRefusal) -> Value
  ) async throws(PluginRefusal) -> Value {
    let result: Result<Value, PluginRefusal>
    do {
      result = try await thread.call(operation, deadline: options.deadlines.load) { Result(catching: body) }
    } catch let error {
      throw PluginRefusal(.hung, file.path, "\(operation) \(error)", "look in its log for what it waits for")
    }
    return try result.get()
  }
}
