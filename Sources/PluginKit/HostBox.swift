import PluginAPI
import Synchronization

/// The host behind `HostServices`: its table and handle, or, in tests that link a backend directly, a sink for log lines.
///
/// The host may be called only from the plugin's `init` until `destroy` (`swiftlet/entry.h`): outside of that the box is not
/// armed and every service answers as if the host had none.
///
/// `@unchecked Sendable`: the table and the handle never change and are `[any]` by the ABI; `logTable` and `metricsTable` are
/// written once, before `armed` is set with release order, and read only after `armed` was read with acquire order.
package final class HostBox: @unchecked Sendable {
  private let table: UnsafePointer<swl_host_table_t>?
  private let handle: OpaquePointer?
  private let sink: (@Sendable (HostServices.LogLevel, String) -> Void)?
  private var logTable: UnsafePointer<swl_host_log_t>?
  private var metricsTable: UnsafePointer<swl_host_metrics_t>?
  private let armed = Atomic<Bool>(false)

  package init(sink: @escaping @Sendable (HostServices.LogLevel, String) -> Void) {
    table = nil
    handle = nil
    self.sink = sink
  }

  package init(table: UnsafePointer<swl_host_table_t>?, handle: OpaquePointer?) {
    self.table = table
    self.handle = handle
    sink = nil
  }

  /// From here on the host may be called. Once, from the plugin's `init`.
  func arm() {
    if let answer = table?.pointee.get_interface?(handle, SWL_HOST_LOG) {
      logTable = answer.assumingMemoryBound(to: swl_host_log_t.self)
    }
    if let answer = table?.pointee.get_interface?(handle, SWL_HOST_METRICS) {
      metricsTable = answer.assumingMemoryBound(to: swl_host_metrics_t.self)
    }
    armed.store(true, ordering: .releasing)
  }

  /// The instance ends: a late call of one of its threads finds no host.
  func disarm() { armed.store(false, ordering: .releasing) }

  private var liveTable: swl_host_table_t? {
    guard let table, armed.load(ordering: .acquiring) else { return nil }
    return table.pointee
  }

  var isCancelled: Bool { (liveTable?.cancelled?(handle) ?? 0) != 0 }

  func requestCallback() { liveTable?.request_callback?(handle) }

  /// The number of a metric, `nil` when this host keeps none.
  func define(_ kind: swl_metric_kind_t, _ name: String, help: String) throws(BackendFault) -> UInt32? {
    guard liveTable != nil, let define = metricsTable?.pointee.define else { return nil }
    var arena = StringArena()
    let (name, help, plain) = (arena.add(name), arena.add(help), name)
    var id: UInt32 = 0
    let status = arena.withStrings { define(handle, kind, $0(name), $0(help), &id) }
    guard status == SWL_OK else { throw BackendFault(.internal, "metric \(plain): the host refused it with status \(status)") }
    return id
  }

  func record(_ id: UInt32, _ value: Double) {
    guard liveTable != nil else { return }
    metricsTable?.pointee.record?(handle, id, value)
  }

  func log(_ level: HostServices.LogLevel, _ message: () -> String, _ values: KeyValuePairs<String, String>) {
    if let sink {
      sink(level, values.reduce(into: message()) { $0 += " \($1.key)=\($1.value)" })
      return
    }
    guard liveTable != nil, let log = logTable?.pointee, log.enabled?(handle, level.rawValue) == 1 else { return }
    var arena = StringArena()
    let text = arena.add(message())
    let pairs = values.map { (arena.add($0.key), arena.add($0.value)) }
    arena.withStrings { string in
      let raw = pairs.map { swl_pair_t(key: string($0.0), value: string($0.1)) }
      raw.withUnsafeBufferPointer { log.log?(handle, level.rawValue, string(text), $0.baseAddress, UInt64($0.count)) }
    }
  }
}

/// Strings laid out one after the other, so that a call that passes several needs one buffer.
struct StringArena {
  private var bytes: [UInt8] = []

  /// Copies `text` in; the range names it in `withStrings`.
  mutating func add(_ text: String) -> Range<Int> {
    let start = bytes.count
    bytes.append(contentsOf: text.utf8)
    return start..<bytes.count
  }

  /// Calls `body` with a function from range to C string; the strings are valid until `body` returns.
  func withStrings<Result>(_ body: ((Range<Int>) -> swl_string_t) -> Result) -> Result {
    bytes.withUnsafeBytes { buffer in
      body { range in
        let base = buffer.baseAddress.map { ($0 + range.lowerBound).assumingMemoryBound(to: CChar.self) }
        return swl_string_t(data: base, length: UInt64(range.count))
      }
    }
  }
}
