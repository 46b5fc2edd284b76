import PluginAPI

/// One number of a backend in the host's metrics. Usable from any thread.
public struct BackendMetric: Sendable {
  public enum Kind: Int32, Sendable {
    /// Only grows: `record` adds.
    case counter = 1
    /// `record` sets.
    case gauge = 2
    /// `record` observes.
    case histogram = 3
  }

  let box: HostBox
  /// `nil`: the host keeps no metrics, and recording does nothing.
  let id: UInt32?

  public func record(_ value: Double) {
    if let id { box.record(id, value) }
  }
}

extension HostServices {
  /// Defines a metric. Only inside the backend's `init`; the host prefixes the name.
  /// - Parameter name: matches `[a-z][a-z0-9_]*`.
  public func defineMetric(_ kind: BackendMetric.Kind, _ name: String, help: String) throws(BackendFault) -> BackendMetric {
    BackendMetric(box: box, id: try box.define(kind.rawValue, name, help: help))
  }
}
