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
