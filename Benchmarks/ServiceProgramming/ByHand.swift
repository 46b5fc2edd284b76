import PluginHost
import PluginKit
import ServiceProxy

extension ProxyPlugin {
  /// One batch, without a host in between.
  func take(_ batch: ProxyBatch) throws {
    var failures: [String] = []
    let arena = ProxyBatchArena(batch)
    let fault = arena.withBatch { raw -> BackendFault? in
      do throws(BackendFault) {
        try sync(ProxyBatchView(raw)) { key, fault in failures.append("\(key): \(fault.message)") }
        return nil
      } catch {
        return error
      }
    }
    if let fault { throw fault }
    if let first = failures.first { throw FloorFault("\(failures.count) service ports not programmed, first \(first)") }
  }
}
