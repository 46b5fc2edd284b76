/// Where a pod's worker stands. Transitions only go down the list; every one is written here.
///
///     syncing ──terminate──> terminating(grace) ──stopped──> terminated
///                              │      ^
///                              └──────┘ terminate again: the grace period can only shrink
public enum PodWorkerState: Sendable, Hashable {
  /// The pod shall run.
  case syncing
  /// The pod is being stopped, with this many seconds for each container.
  case terminating(graceSeconds: Int64)
  /// Nothing of it is left in the runtime.
  case terminated

  /// - Returns: true when this changed anything.
  public mutating func terminate(graceSeconds: Int64) -> Bool {
    switch self {
    case .syncing:
      self = .terminating(graceSeconds: max(graceSeconds, 0))
      return true
    case .terminating(let current) where graceSeconds < current:
      self = .terminating(graceSeconds: max(graceSeconds, 0))
      return true
    case .terminating, .terminated:
      return false
    }
  }

  /// Only a pod that was being stopped can be gone.
  public mutating func stopped() {
    if case .terminating = self { self = .terminated }
  }

  public var isTerminating: Bool {
    if case .syncing = self { return false }
    return true
  }
}
