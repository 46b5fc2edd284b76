/// What the service proxy drives: something that makes the kernel agree with resolved Services.
///
/// Implemented by `PluginHost` over a loaded library, and by fakes in tests. Calls of one backend are made one after the
/// other; each returns only once its work is done or has failed. Every call may throw `ProxyBackendError`.
public protocol ProxyBackend: Sendable {
  /// As chosen with `--proxy-mode`.
  var name: String { get }

  func start() async throws(ProxyBackendError)
  /// Applies one batch. Throwing means nothing of it was applied; service ports that failed alone are in the report.
  func sync(_ batch: ProxyBatch) async throws(ProxyBackendError) -> ProxySyncReport
  /// Ends work; rules stay in the kernel.
  func stop() async
  /// Removes everything the backend ever left; returns what was removed.
  func cleanup() async throws(ProxyBackendError) -> [String]
  /// What the backend owns on this machine now.
  func ownedObjects() async throws(ProxyBackendError) -> [String]

  /// An element each time somebody else may have changed what this backend programmed; `nil` when it has no way to tell, and
  /// only the periodic look repairs. After `start`; ends with the backend or when nobody reads it any more.
  func disturbances() async throws(ProxyBackendError) -> AsyncStream<Void>?
  /// What is damaged, a line each.
  /// - Parameter thorough: compare everything with the kernel, events or not.
  func examine(thorough: Bool) async throws(ProxyBackendError) -> [String]
  /// The kernel's objects for one service port, in the words of the kernel's own tool; `nil` when it does not know the key.
  func explain(_ key: String) async throws(ProxyBackendError) -> [String]?
  /// Of one service port, or of all.
  func counters(_ key: String?) async throws(ProxyBackendError) -> [String: ServicePortCounters]
  /// What a full load would make the kernel hold; touches nothing. Needs no `start`.
  func plan(_ batch: ProxyBatch) async throws(ProxyBackendError) -> [String]
  /// What kube-proxy left in this backend's mode. Needs no `start`.
  func foreignObjects() async throws(ProxyBackendError) -> [String]
  /// Removes it; returns what was removed.
  func removeForeignObjects() async throws(ProxyBackendError) -> [String]
}

/// What a backend cannot do answers so.
extension ProxyBackend {
  public func disturbances() async throws(ProxyBackendError) -> AsyncStream<Void>? { nil }
  public func examine(thorough: Bool) async throws(ProxyBackendError) -> [String] { [] }
  public func explain(_ key: String) async throws(ProxyBackendError) -> [String]? { nil }
  public func counters(_ key: String?) async throws(ProxyBackendError) -> [String: ServicePortCounters] { [:] }
  public func plan(_ batch: ProxyBatch) async throws(ProxyBackendError) -> [String] {
    throw ProxyBackendError(code: .failed, operation: "\(name): plan", message: "this backend cannot show what it would do")
  }
  public func foreignObjects() async throws(ProxyBackendError) -> [String] { [] }
  public func removeForeignObjects() async throws(ProxyBackendError) -> [String] { [] }
}

/// What the kernel counted for one service port; `nil`: the backend has no such count.
public struct ServicePortCounters: Sendable, Equatable {
  public var connections: UInt64?
  public var packets: UInt64?
  public var bytes: UInt64?
  public var noEndpoint: UInt64?
  public var sourceRefused: UInt64?

  public init(
    connections: UInt64? = nil, packets: UInt64? = nil, bytes: UInt64? = nil, noEndpoint: UInt64? = nil, sourceRefused: UInt64? = nil
  ) {
    self.connections = connections
    self.packets = packets
    self.bytes = bytes
    self.noEndpoint = noEndpoint
    self.sourceRefused = sourceRefused
  }
}

/// Why a backend call failed, in the backend's words.
public struct ProxyBackendError: Error, Sendable, CustomStringConvertible {
  public enum Code: Sendable {
    /// May succeed when tried again.
    case retry
    /// The call passed its deadline; the backend refuses further calls until it returns.
    case hung
    /// Will not succeed without a change.
    case failed
  }

  public var code: Code
  /// Backend and operation, e.g. "nftables: sync generation 12".
  public var operation: String
  public var message: String
  /// 0: none.
  public var osErrno: Int32

  public init(code: Code, operation: String, message: String, osErrno: Int32 = 0) {
    self.code = code
    self.operation = operation
    self.message = message
    self.osErrno = osErrno
  }

  public var description: String {
    osErrno == 0 ? "\(operation): \(message)" : "\(operation): \(message) (errno \(osErrno))"
  }
}

/// One step from what the kernel holds to what it shall hold. Removals come before upserts: a front end may go from a
/// service port that is removed to one that is new.
public struct ProxyBatch: Sendable, Equatable {
  public var generation: UInt64
  /// First batch of a full load.
  public var reset: Bool
  /// Last batch of a full load.
  public var complete: Bool
  public var upserts: [ResolvedServicePort]
  /// Keys of service ports that are gone.
  public var removals: [String]
  /// What the service ports of an incremental batch were before, by key. Not for the backend, which knows what it programmed,
  /// but for who looks after connections.
  public var replaced: [String: ResolvedServicePort]
  /// Every TCP port the node answers balancers' health checks on, sorted, for backends that can open it to a firewall; `nil`:
  /// as before. A full load has them in its last batch.
  public var healthCheckPorts: [UInt16]?

  public init(
    generation: UInt64, reset: Bool, complete: Bool, upserts: [ResolvedServicePort], removals: [String],
    replaced: [String: ResolvedServicePort] = [:], healthCheckPorts: [UInt16]? = nil
  ) {
    self.generation = generation
    self.reset = reset
    self.complete = complete
    self.upserts = upserts
    self.removals = removals
    self.replaced = replaced
    self.healthCheckPorts = healthCheckPorts
  }
}

/// What a sync did.
public struct ProxySyncReport: Sendable, Equatable {
  /// Service ports whose previous state stands, with the reason.
  public var failures: [String: String]

  public init(failures: [String: String] = [:]) { self.failures = failures }
}
