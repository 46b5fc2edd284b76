/// Something a Service or its slices ask for that is not programmed, for logs, events and `swiftlet get services`.
public struct ServiceIssue: Sendable, Hashable, CustomStringConvertible {
  /// "spec.externalIPs[0]"
  public var fieldPath: String
  public var reason: String

  public init(fieldPath: String, reason: String) {
    self.fieldPath = fieldPath
    self.reason = reason
  }

  public var description: String { "\(fieldPath): \(reason)" }
}
