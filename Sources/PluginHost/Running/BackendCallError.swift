/// Why a call never got an answer from the backend.
public enum BackendCallError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The deadline of this call passed.
  case hung(String)
  /// An earlier call has not come back yet.
  case busy(String)
  /// The instance is gone.
  case closed(String)

  public var description: String {
    switch self {
    case .hung(let message), .busy(let message), .closed(let message): message
    }
  }
}
