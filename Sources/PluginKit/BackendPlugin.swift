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
