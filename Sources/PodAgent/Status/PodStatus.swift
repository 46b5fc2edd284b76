import KubeModel

/// The state of one pod as the agent shows it: in `swiftlet get pods`, to the service proxy, later to the API server.
public struct PodStatus: Sendable, Hashable {
  public struct Container: Sendable, Hashable {
    public enum State: Sendable, Hashable {
      /// "ContainerCreating", "CrashLoopBackOff", "ErrImagePull"…, with words for a person.
      case waiting(reason: String, message: String)
      /// Nanoseconds since the epoch.
      case running(startedAt: Int64)
      case terminated(exitCode: Int32, reason: String, message: String, startedAt: Int64, finishedAt: Int64)
    }

    public var name: String
    public var isInit: Bool
    public var state: State
    /// How the one before ended.
    public var lastTermination: State?
    public var isReady: Bool
    public var restartCount: UInt32
    public var image: String
    public var imageRef: String
    /// Empty until there is one.
    public var id: String
  }

  public var phase: PodPhase
  public var qos: QOSClass
  /// Initialized, ContainersReady and Ready follow from these.
  public var containers: [Container]
  public var isInitialized: Bool
  public var isReady: Bool
  public var isTerminating: Bool
  public var addresses: [IPAddress]
  /// When the agent first saw the pod's sandbox or manifest, nanoseconds since the epoch.
  public var startTime: Int64
  /// What is under way and since when (nanoseconds since the epoch), for "blocked in StopPodSandbox, 41 s".
  public var step: Step?
  /// What failed last, until it succeeds.
  public var problem: Problem?

  public struct Step: Sendable, Hashable {
    public var name: String
    public var since: Int64

    public init(name: String, since: Int64) {
      self.name = name
      self.since = since
    }
  }

  /// A reason in one word, as upstream writes it, and the words of who failed.
  public struct Problem: Sendable, Hashable {
    public var reason: String
    public var message: String
    /// The container concerned, or `nil` for the pod as a whole.
    public var container: String?

    public init(reason: String, message: String, container: String? = nil) {
      self.reason = reason
      self.message = message
      self.container = container
    }
  }

  public var restartCount: UInt32 { containers.filter { !$0.isInit }.map(\.restartCount).reduce(0, +) }
  /// Every container serves, whether or not the pod is being stopped.
  public var areContainersReady: Bool { containers.allSatisfy { $0.isInit || $0.isReady } }
  public var readyCount: Int { containers.filter { !$0.isInit && $0.isReady }.count }
}
