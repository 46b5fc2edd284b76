import PluginAPI
import PodAgent

/// A loaded cgroup backend as the pod agent sees it.
public struct CgroupPluginAdapter: CgroupDriver {
  public let plugin: LoadedPlugin

  /// - Parameter plugin: whose kind is cgroup; else `nil`.
  public init?(_ plugin: LoadedPlugin) {
    guard plugin.descriptor.kind == .cgroup else { return nil }
    self.plugin = plugin
  }

  public var name: String { plugin.descriptor.name }

  public func start() async throws(CgroupError) {
    do { try await plugin.start() } catch let error { throw CgroupError(error) }
  }

  public func create(_ path: String, _ limits: CgroupLimits) async throws(CgroupError) {
    try await call("create", path) { instance, path, error in
      withUnsafePointer(to: swl_cgroup_resources_t(limits)) {
        (instance.cgroup.create(instance.handle, path, $0, error), ())
      }
    }
  }

  public func set(_ path: String, _ limits: CgroupLimits) async throws(CgroupError) {
    try await call("set", path) { instance, path, error in
      withUnsafePointer(to: swl_cgroup_resources_t(limits)) {
        (instance.cgroup.set(instance.handle, path, $0, error), ())
      }
    }
  }

  public func usage(_ path: String) async throws(CgroupError) -> CgroupStatistics {
    try await call("usage", path) { instance, path, error in
      var usage = swl_cgroup_usage_t()
      usage.struct_size = UInt32(MemoryLayout<swl_cgroup_usage_t>.size)
      usage.memory_limit_bytes = .max
      let status = instance.cgroup.usage(instance.handle, path, &usage, error)
      return (status, CgroupStatistics(usage))
    }
  }

  public func processes(_ path: String) async throws(CgroupError) -> [Int32] {
    try await call("processes", path) { instance, path, error in
      let collector = ProcessCollector()
      let status = withExtendedLifetime(collector) {
        instance.cgroup.processes(
          instance.handle, path, ProcessCollector.sink, Unmanaged.passUnretained(collector).toOpaque(), error)
      }
      return (status, collector.processes)
    }
  }

  public func kill(_ path: String) async throws(CgroupError) {
    try await call("kill", path, deadline: plugin.deadlines.kill) { instance, path, error in
      (instance.cgroup.kill(instance.handle, path, error), ())
    }
  }

  public func remove(_ path: String) async throws(CgroupError) {
    try await call("remove", path) { instance, path, error in (instance.cgroup.remove(instance.handle, path, error), ()) }
  }

  public func children(_ path: String) async throws(CgroupError) -> [String] {
    try await call("children", path) { instance, path, error in
      NameCollector.collect { instance.cgroup.children(instance.handle, path, $0, $1, error) }
    }
  }

  public func stop() async { await plugin.stop() }

  public func cleanup() async throws(CgroupError) -> [String] {
    do { return try await plugin.cleanup() } catch let error { throw CgroupError(error) }
  }

  public func ownedObjects() async throws(CgroupError) -> [String] {
    do { return try await plugin.listOwned() } catch let error { throw CgroupError(error) }
  }

  private func call<Value: Sendable>(
    _ operation: String, _ path: String, deadline: Duration? = nil,
    _ body: @escaping @Sendable (PluginInstance, swl_string_t, UnsafeMutablePointer<swl_error_t>) -> (swl_status_t, Value)
  ) async throws(CgroupError) -> Value {
    do {
      return try await plugin.call("\(operation) \(path)", deadline: deadline ?? plugin.deadlines.cgroup) { instance, error in
        var path = path
        return path.withUTF8 { bytes in
          bytes.withMemoryRebound(to: CChar.self) {
            body(instance, swl_string_t(data: $0.baseAddress, length: UInt64($0.count)), error)
          }
        }
      }
    } catch let error {
      throw CgroupError(error)
    }
  }
}

/// Takes the process numbers a plugin emits.
private final class ProcessCollector {
  private(set) var processes: [Int32] = []

  static let sink: swl_cgroup_process_fn = { context, process in
    guard let context else { return }
    Unmanaged<ProcessCollector>.fromOpaque(context).takeUnretainedValue().processes.append(process)
  }
}

extension swl_cgroup_resources_t {
  /// `nil` becomes zero, "leave as it is"; `CgroupLimits.unlimited` and the ABI's number are the same.
  init(_ limits: CgroupLimits) {
    self.init(
      struct_size: UInt32(MemoryLayout<swl_cgroup_resources_t>.size), reserved: 0, cpu_shares: limits.cpuShares ?? 0,
      cpu_quota_us: limits.cpuQuota ?? 0, cpu_period_us: limits.cpuPeriod ?? 0, memory_bytes: limits.memory ?? 0,
      pids: limits.pids ?? 0)
  }
}

extension CgroupStatistics {
  init(_ usage: swl_cgroup_usage_t) {
    self.init(
      cpuNanoseconds: usage.cpu_ns, memory: usage.memory_bytes, workingSet: usage.working_set_bytes, pids: usage.pids,
      oomKills: usage.oom_kills, memoryLimit: usage.memory_limit_bytes == .max ? nil : usage.memory_limit_bytes)
  }
}

extension CgroupError {
  init(_ error: PluginCallError) {
    let code: Code =
      switch error.code {
      case .hung: .hung
      case .answered(.retry), .answered(.cancelled): .retry
      case .answered(.notFound): .notFound
      case .answered, .closed: .failed
      }
    self.init(code: code, operation: error.operation, message: error.message, osErrno: error.osErrno)
  }
}
