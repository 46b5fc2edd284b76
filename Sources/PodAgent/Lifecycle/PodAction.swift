/// One thing to do for a pod now.
public enum PodAction: Sendable, Hashable {
  /// Make a sandbox; the attempt is one above the last one's.
  case createSandbox(attempt: UInt32)
  /// Stop a sandbox and all in it, because it is dead or of no more use.
  case stopSandbox(id: String)
  /// Remove a sandbox that is superseded; it is stopped once more before, because nobody can see whether it was.
  case removeSandbox(id: String)
  /// Create and start a container of the spec in a sandbox.
  case start(container: String, isInit: Bool, attempt: UInt32, sandboxID: String)
  /// Stop a container, with its grace period, whose state cannot be told or whose sandbox died. A plan with one of these
  /// ends there: what comes next depends on how it ends.
  case kill(containerID: String, reason: String)
  /// Remove a dead container that a newer one replaced.
  case remove(containerID: String)
}

/// What the planner made of a pod.
public struct PodPlan: Sendable, Hashable {
  /// In order; the next observation is made after the last.
  public var actions: [PodAction]
  /// Nanoseconds since the epoch at which something is due though nothing happens before.
  public var wakeAt: Int64?
  /// Containers that wait out their back-off, with the time they wait for.
  public var backingOff: [String: Int64]

  public init(actions: [PodAction] = [], wakeAt: Int64? = nil, backingOff: [String: Int64] = [:]) {
    self.actions = actions
    self.wakeAt = wakeAt
    self.backingOff = backingOff
  }
}
