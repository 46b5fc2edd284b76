import Logging
import PluginAPI

/// The C tables the host hands to plugins. Constant memory that lives until the process ends.
///
/// `nonisolated(unsafe)`: written before the pointers exist, never after.
enum HostTables {
  nonisolated(unsafe) static let host = constant(
    swl_host_table_t(
      get_interface: { handle, ability in
        guard let context = HostContext.of(handle), let ability, context.admits("get_interface") else { return nil }
        return switch String(cString: ability) {
        case SWL_HOST_LOG: UnsafeRawPointer(log)
        case SWL_HOST_METRICS: UnsafeRawPointer(metrics)
        default: nil
        }
      },
      cancelled: { handle in HostContext.of(handle)?.isCancelled == false ? 0 : 1 },
      request_callback: { handle in HostContext.of(handle)?.requestCallback() }))

  nonisolated(unsafe) private static let log = constant(
    swl_host_log_t(
      enabled: { handle, level in
        guard let context = HostContext.of(handle) else { return 0 }
        return context.logger.logLevel <= HostTables.level(level) ? 1 : 0
      },
      log: { handle, level, message, values, count in
        guard let context = HostContext.of(handle), context.admits("log") else { return }
        HostTables.record(context, level, message, UnsafeBufferPointer(start: values, count: values == nil ? 0 : Int(min(count, 64))))
      }))

  nonisolated(unsafe) private static let metrics = constant(
    swl_host_metrics_t(
      define: { handle, kind, name, help, id in
        guard let context = HostContext.of(handle), let id else { return SWL_INVALID }
        switch context.defineMetric(kind: kind, name: name.hostText, help: help.hostText) {
        case .success(let number):
          id.pointee = number
          return SWL_OK
        case .failure, nil:
          return SWL_INVALID
        }
      },
      record: { handle, id, value in
        guard let context = HostContext.of(handle), context.admits("record") else { return }
        context.metrics.record(id, value)
      }))

  private static func constant<Table: BitwiseCopyable>(_ table: Table) -> UnsafePointer<Table> {
    let place = UnsafeMutablePointer<Table>.allocate(capacity: 1)
    place.initialize(to: table)
    return UnsafePointer(place)
  }

  /// A level this host does not know is worth seeing.
  private static func level(_ level: swl_log_level_t) -> Logger.Level {
    switch level {
    case SWL_LOG_DEBUG: .debug
    case SWL_LOG_INFO: .info
    case SWL_LOG_WARNING: .warning
    case SWL_LOG_ERROR, SWL_LOG_HOST_MISBEHAVING, SWL_LOG_PLUGIN_MISBEHAVING: .error
    default: .warning
    }
  }

  private static func record(
    _ context: HostContext, _ level: swl_log_level_t, _ message: swl_string_t, _ values: UnsafeBufferPointer<swl_pair_t>
  ) {
    let severity = Self.level(level)
    guard context.logger.logLevel <= severity else { return }
    var metadata: Logger.Metadata = ["plugin": "\(context.plugin)"]
    for pair in values { metadata[pair.key.hostText] = "\(pair.value.hostText)" }
    var text = message.hostText
    switch level {
    case SWL_LOG_HOST_MISBEHAVING:
      metadata["blame"] = "host"
      text = "HOST_MISBEHAVING: \(text)"
    case SWL_LOG_PLUGIN_MISBEHAVING:
      metadata["blame"] = "plugin"
      text = "PLUGIN_MISBEHAVING: \(text)"
    default:
      break
    }
    context.logger.log(level: severity, "\(text)", metadata: metadata)
  }
}

extension swl_string_t {
  /// A copy on one line; invalid UTF-8 is repaired, and what is longer than 16 KiB cut.
  var hostText: String {
    guard let data else { return "" }
    let count = Int(min(length, 16 << 10))
    return data.withMemoryRebound(to: UInt8.self, capacity: count) {
      String(decoding: UnsafeBufferPointer(start: $0, count: count), as: UTF8.self).onOneLine
    }
  }
}
