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

/// What a backend hands on while it does a piece of work: once for the load, once for the changes.
/// - Parameter take: what it handed on since the last time.
func recording<Backend: ProxyPlugin, Item>(_ work: RecordedWork, _ backend: Backend, _ take: () -> [Item]) throws -> (
  loading: [Item], changing: [Item]
) {
  try backend.start()
  for batch in work.load { try backend.take(batch) }
  let loading = take()
  for batch in work.changes { try backend.take(batch) }
  let changing = take()
  backend.stop()
  return (loading, changing)
}
