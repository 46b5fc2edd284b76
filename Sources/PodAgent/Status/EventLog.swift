/// Something worth telling a person, as Kubernetes events do.
public struct AgentEvent: Sendable, Hashable {
  public enum Severity: String, Sendable { case normal = "Normal", warning = "Warning" }

  public var severity: Severity
  /// "Pod", "Service", "Manifest", "Node"…
  public var kind: String
  /// "namespace/name", a file name, or the node's name.
  public var object: String
  /// One word: "Started", "FailedCreatePodSandBox", "InvalidManifest".
  public var reason: String
  public var message: String
  /// Nanoseconds since the epoch.
  public var firstSeen: Int64
  public var lastSeen: Int64
  public var count: Int

  public init(_ severity: Severity, kind: String, object: String, reason: String, message: String, at time: Int64) {
    self.severity = severity
    self.kind = kind
    self.object = object
    self.reason = reason
    self.message = message
    firstSeen = time
    lastSeen = time
    count = 1
  }

  /// Equal events are counted, not repeated.
  fileprivate func isSame(as other: AgentEvent) -> Bool {
    severity == other.severity && kind == other.kind && object == other.object && reason == other.reason
      && message == other.message
  }
}

/// The last events, oldest first. Bounded; a repeated event moves to the end with its count raised.
public struct EventLog: Sendable {
  public let capacity: Int
  public private(set) var events: [AgentEvent] = []

  /// Memory stays small: 500 events of some 200 bytes.
  public init(capacity: Int = 500) { self.capacity = max(capacity, 1) }

  public mutating func record(_ event: AgentEvent) {
    var event = event
    if let index = events.lastIndex(where: { $0.isSame(as: event) }) {
      let known = events.remove(at: index)
      event.firstSeen = known.firstSeen
      event.count = known.count + 1
    }
    events.append(event)
    if events.count > capacity { events.removeFirst(events.count - capacity) }
  }
}
