import PluginAPI

/// The host's services as a backend sees them. Usable from any thread, from `init` of the plugin until `destroy` returned;
/// `log` and `isCancelled` do nothing before the plugin's `init`, when the ABI forbids calling the host.
public struct HostServices: Sendable {
  public enum LogLevel: Int32, Sendable {
    case debug = 1
    case info = 2
    case warning = 3
    case error = 4
    case hostMisbehaving = 5
  }

  let box: HostBox

  /// For tests that link a backend directly, without a host: logs go to `sink`.
  public init(testing sink: @escaping @Sendable (LogLevel, String) -> Void = { _, _ in }) {
    box = HostBox(sink: sink)
  }

  package init(box: HostBox) { self.box = box }

  public func log(_ level: LogLevel, _ message: @autoclosure () -> String, _ values: KeyValuePairs<String, String> = [:]) {
    box.log(level, message, values)
  }

  /// True when the call in progress should end soon; long work polls it and throws `.cancelled`.
  public var isCancelled: Bool { box.isCancelled }

  /// Asks for one `hostCallback` on the plugin's thread.
  public func requestCallback() { box.requestCallback() }
}
