import KubeModel

/// What the runtime says of one pod: a value the planner reads.
public struct PodObservation: Sendable, Hashable {
  /// Newest first.
  public var sandboxes: [ObservedSandbox]
  /// Newest first.
  public var containers: [ObservedContainer]

  public init(sandboxes: [ObservedSandbox] = [], containers: [ObservedContainer] = []) {
    self.sandboxes = sandboxes.sorted { ($0.attempt, $0.createdAt) > ($1.attempt, $1.createdAt) }
    self.containers = containers.sorted { ($0.createdAt, $0.attempt) > ($1.createdAt, $1.attempt) }
  }

  public var isEmpty: Bool { sandboxes.isEmpty && containers.isEmpty }

  /// The newest container of a name, whatever its sandbox.
  public func newest(_ name: String) -> ObservedContainer? { containers.first { $0.name == name } }

  /// The newest container of a name in one sandbox.
  public func newest(_ name: String, in sandboxID: String) -> ObservedContainer? {
    containers.first { $0.name == name && $0.sandboxID == sandboxID }
  }

  public var runningContainers: [ObservedContainer] { containers.filter { $0.state == .running } }
}

public struct ObservedSandbox: Sendable, Hashable {
  public var id: String
  public var isReady: Bool
  public var attempt: UInt32
  /// Nanoseconds since the epoch.
  public var createdAt: Int64
  public var addresses: [IPAddress]

  public init(id: String, isReady: Bool, attempt: UInt32 = 0, createdAt: Int64 = 0, addresses: [IPAddress] = []) {
    self.id = id
    self.isReady = isReady
    self.attempt = attempt
    self.createdAt = createdAt
    self.addresses = addresses
  }
}

public struct ObservedContainer: Sendable, Hashable {
  public enum State: Sendable, Hashable { case created, running, exited, unknown }

  public var id: String
  public var sandboxID: String
  public var name: String
  /// How many of this name came before: the restart count.
  public var attempt: UInt32
  public var state: State
  /// Nanoseconds since the epoch; 0 while it has not happened.
  public var createdAt: Int64
  public var startedAt: Int64
  public var finishedAt: Int64
  public var exitCode: Int32
  /// The runtime's words: "Completed", "Error", "OOMKilled".
  public var reason: String
  public var message: String
  public var image: String
  public var imageRef: String

  public init(
    id: String, sandboxID: String, name: String, attempt: UInt32 = 0, state: State, createdAt: Int64 = 0, startedAt: Int64 = 0,
    finishedAt: Int64 = 0, exitCode: Int32 = 0, reason: String = "", message: String = "", image: String = "",
    imageRef: String = ""
  ) {
    self.id = id
    self.sandboxID = sandboxID
    self.name = name
    self.attempt = attempt
    self.state = state
    self.createdAt = createdAt
    self.startedAt = startedAt
    self.finishedAt = finishedAt
    self.exitCode = exitCode
    self.reason = reason
    self.message = message
    self.image = image
    self.imageRef = imageRef
  }

  public var succeeded: Bool { state == .exited && exitCode == 0 }

  /// It has processes, or may have.
  public var isLive: Bool { state == .running || state == .unknown }
}
