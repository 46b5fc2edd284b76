/// Why a call to the container runtime did not succeed.
///
/// `description` is one line fit for an event or a log:
/// `StopContainer web-0: deadline exceeded: no answer within 2m5s (unix:///run/containerd/containerd.sock)`.
public struct CRIError: Error, Hashable, Sendable {
  /// A gRPC status code. A struct rather than an enum, so that a runtime may answer a number nobody has named yet.
  public struct Code: RawRepresentable, Hashable, Sendable {
    public let rawValue: Int

    public init(rawValue: Int) { self.rawValue = rawValue }

    /// The calling task was cancelled; the runtime may or may not have done the work.
    public static let cancelled = Code(rawValue: 1)
    /// What runtimes answer for nearly everything they have no better code for.
    public static let unknown = Code(rawValue: 2)
    public static let invalidArgument = Code(rawValue: 3)
    /// The call's own deadline passed; the runtime may or may not have done the work.
    public static let deadlineExceeded = Code(rawValue: 4)
    public static let notFound = Code(rawValue: 5)
    public static let alreadyExists = Code(rawValue: 6)
    public static let permissionDenied = Code(rawValue: 7)
    public static let resourceExhausted = Code(rawValue: 8)
    public static let failedPrecondition = Code(rawValue: 9)
    public static let aborted = Code(rawValue: 10)
    public static let outOfRange = Code(rawValue: 11)
    /// The runtime is of an older version than the call.
    public static let unimplemented = Code(rawValue: 12)
    /// Also: the answer could not be understood.
    public static let internalError = Code(rawValue: 13)
    /// Nobody listens on the socket, or the runtime went away in the middle of the call.
    public static let unavailable = Code(rawValue: 14)
    public static let dataLoss = Code(rawValue: 15)
    public static let unauthenticated = Code(rawValue: 16)
  }

  /// The CRI call, such as `RunPodSandbox`.
  public let operation: String
  /// What it was about: a container or sandbox id, `namespace/name`, an image reference, or empty.
  public let object: String
  public let code: Code
  /// The runtime's own words; for `unavailable` and `deadlineExceeded` ours.
  public let message: String
  /// The endpoint that was called, such as `unix:///run/containerd/containerd.sock`; empty if none was.
  public let endpoint: String

  public init(operation: String, object: String, code: Code, message: String, endpoint: String = "") {
    self.operation = operation
    self.object = object
    self.code = code
    self.message = message
    self.endpoint = endpoint
  }

  /// The call's deadline passed, whether the client or the runtime noticed.
  public var isDeadline: Bool { code == .deadlineExceeded }
  /// The runtime cannot be reached: a fault of the node, not of the pod.
  public var isUnavailable: Bool { code == .unavailable }
  public var isNotFound: Bool { code == .notFound }
  public var isCancelled: Bool { code == .cancelled }
}

extension CRIError: CustomStringConvertible {
  public var description: String {
    var text = operation
    if !object.isEmpty { text += " " + object }
    text += ": " + code.description
    if !message.isEmpty { text += ": " + message }
    if !endpoint.isEmpty, isUnavailable || isDeadline { text += " (" + endpoint + ")" }
    return text
  }
}

extension CRIError.Code: CustomStringConvertible {
  public var description: String {
    switch self {
    case .cancelled: "cancelled"
    case .unknown: "failed"
    case .invalidArgument: "invalid argument"
    case .deadlineExceeded: "deadline exceeded"
    case .notFound: "not found"
    case .alreadyExists: "already exists"
    case .permissionDenied: "permission denied"
    case .resourceExhausted: "resource exhausted"
    case .failedPrecondition: "failed precondition"
    case .aborted: "aborted"
    case .outOfRange: "out of range"
    case .unimplemented: "not implemented by the runtime"
    case .internalError: "internal error"
    case .unavailable: "runtime unavailable"
    case .dataLoss: "data loss"
    case .unauthenticated: "unauthenticated"
    default: "status \(rawValue)"
    }
  }
}
