import PluginAPI

/// Why a backend call failed, as it crosses the ABI: a status the host can act on and a message a person can.
public struct BackendFault: Error, Sendable, Equatable, CustomStringConvertible {
  public enum Status: Int32, Sendable {
    case `internal` = 1
    case invalid = 2
    case unsupported = 3
    case retry = 4
    case cancelled = 5
    case notFound = 6
    case denied = 7
  }

  public var status: Status
  /// Operation, object, and the kernel's or tool's own words; lower case, no final stop.
  public var message: String
  /// 0: none.
  public var osErrno: Int32

  public init(_ status: Status, _ message: String, errno osErrno: Int32 = 0) {
    self.status = status
    self.message = message
    self.osErrno = osErrno
  }

  public var description: String { osErrno == 0 ? message : "\(message) (errno \(osErrno))" }
}
