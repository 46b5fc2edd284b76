/// Everything the runtime runs, as little of it as a comparison with the last time needs.
///
/// Both arrays are sorted by id (runtimes answer in any order), so two snapshots of an unchanged node are equal.
/// The two lists are asked for one after the other, sandboxes first: a container whose sandbox is not in
/// `sandboxes` belongs to a sandbox that was made in between.
public struct RelistSnapshot: Hashable, Sendable {
  public var sandboxes: [RelistSandbox]
  public var containers: [RelistContainer]

  /// Sorts what it is given.
  public init(sandboxes: [RelistSandbox] = [], containers: [RelistContainer] = []) {
    self.sandboxes = sandboxes.sorted { $0.id < $1.id }
    self.containers = containers.sorted { $0.id < $1.id }
  }
}

public struct RelistSandbox: Hashable, Sendable, Identifiable {
  public let id: String
  public let state: CRIPodSandboxState
  /// Nanoseconds since the epoch.
  public let createdAt: Int64

  public init(id: String, state: CRIPodSandboxState, createdAt: Int64) {
    self.id = id
    self.state = state
    self.createdAt = createdAt
  }
}

public struct RelistContainer: Hashable, Sendable, Identifiable {
  public let id: String
  public let sandboxID: String
  public let state: CRIContainerState
  /// Nanoseconds since the epoch.
  public let createdAt: Int64

  public init(id: String, sandboxID: String, state: CRIContainerState, createdAt: Int64) {
    self.id = id
    self.sandboxID = sandboxID
    self.state = state
    self.createdAt = createdAt
  }
}
