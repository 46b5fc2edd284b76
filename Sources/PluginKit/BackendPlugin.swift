import PluginAPI

/// What every backend written in Swift implements; `PluginEntry` puts it behind the C tables.
///
/// All calls of one instance come one after the other, on whatever thread the host uses for it (`[serial]` of the ABI).
/// A backend never traps: no `!`, no `try!`, no unchecked index, since a trap ends the whole agent.
public protocol BackendPlugin: AnyObject {
  /// Keeps what it needs of the configuration; touches nothing. A key it does not know is refused with `.invalid`.
  init(host: HostServices, configuration: [String: String]) throws(BackendFault)

  /// Can this backend work here and now? Throws `.unsupported` or `.denied` with reason and fix.
  func probe() throws(BackendFault)
  /// Makes ready to work and adopts what an earlier run left.
  func start() throws(BackendFault)
  /// Ends work; what stands in the kernel stays.
  func stop()
  /// Removes everything any version of this backend ever left, naming each thing removed. Needs no `start`.
  func cleanup(removed: (String) -> Void) throws(BackendFault)
  /// Names what this backend owns on the machine now.
  func listOwned(_ owned: (String) -> Void) throws(BackendFault)
  /// Answer to `HostServices.requestCallback`.
  func hostCallback()
}

extension BackendPlugin {
  public func hostCallback() {}
}

/// A backend that makes the kernel agree with resolved Services.
public protocol ProxyPlugin: BackendPlugin {
  /// Applies one batch and returns once the kernel has committed it. Throwing means nothing of it was applied.
  /// - Parameter failed: called for each service port that could not be programmed while the rest was.
  func sync(_ batch: ProxyBatchView, failed: (String, BackendFault) -> Void) throws(BackendFault)
}

/// A proxy backend that notices when somebody else changes what it programmed (`swiftlet.proxy.watch/1`).
public protocol WatchingProxy: ProxyPlugin {
  /// Readable when something may have happened; -1: the kernel has no event, `examine` is called a few times a second.
  /// Valid from `start` to `stop`; the host polls it and never reads or closes it.
  var watchDescriptor: Int32 { get }
  /// Takes what the descriptor has and names each damage, "table ip swiftlet is gone".
  /// - Parameter thorough: compare everything with the kernel, events or not.
  func examine(thorough: Bool, damage: (String) -> Void) throws(BackendFault)
}

/// A proxy backend that shows its work (`swiftlet.proxy.inspect/1`).
public protocol InspectableProxy: ProxyPlugin {
  /// The kernel's objects for one service port as they are now, in the words of the kernel's own tool. `.notFound`: no such key.
  func explain(_ key: String, line: (String) -> Void) throws(BackendFault)
  /// - Parameter key: empty: of every service port.
  func counters(_ key: String, emit: (String, ProxyCounters) -> Void) throws(BackendFault)
  /// What a full load would make the kernel hold. Touches nothing, needs no privilege and no `start`.
  func plan(_ batch: ProxyBatchView, line: (String) -> Void) throws(BackendFault)
}

/// A proxy backend that knows what kube-proxy leaves in its mode (`swiftlet.proxy.takeover/1`). Needs no `start`.
public protocol TakeoverProxy: ProxyPlugin {
  func listForeign(_ found: (String) -> Void) throws(BackendFault)
  func removeForeign(removed: (String) -> Void) throws(BackendFault)
}

/// What the kernel counted for one service port; `nil`: the backend has no such count.
public struct ProxyCounters: Sendable, Hashable {
  /// New connections sent to an endpoint.
  public var connections: UInt64?
  /// Of all connections, both directions.
  public var packets: UInt64?
  public var bytes: UInt64?
  /// New connections that met no endpoint.
  public var noEndpoint: UInt64?
  /// New connections from outside of the source ranges.
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

/// A backend that drives one cgroup version. Paths are below the root, "kubepods/burstable/pod…", already checked.
public protocol CgroupPlugin: BackendPlugin {
  func create(_ path: String, _ resources: CgroupResources) throws(BackendFault)
  func set(_ path: String, _ resources: CgroupResources) throws(BackendFault)
  func usage(_ path: String) throws(BackendFault) -> CgroupUsage
  func processes(_ path: String, _ process: (Int32) -> Void) throws(BackendFault)
  func kill(_ path: String) throws(BackendFault)
  func remove(_ path: String) throws(BackendFault)
  func children(_ path: String, _ child: (String) -> Void) throws(BackendFault)
}
