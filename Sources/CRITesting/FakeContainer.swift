import CRI
import SwiftProtobuf

/// A container of `FakeRuntime`.
public struct FakeContainer: Sendable {
  /// What a container does when started or stopped.
  public enum Behaviour: Sendable, Hashable {
    /// Runs until told to stop, and then exits 143 (128 + SIGTERM).
    case runs
    /// Runs until told to stop, and then exits with this code.
    case exitsWhenStopped(Int32)
    /// Takes no notice of SIGTERM: a stop ends in SIGKILL, 137.
    case ignoresStop
    /// Exits with this code as soon as it is started.
    case exits(Int32)
    /// Does not start: `startContainer` fails with this message, and the container is EXITED with 128.
    case failsToStart(String)
  }

  public let id: String
  public let sandboxID: String
  public let config: CRIContainerConfig
  public let imageID: String
  /// Where its log would be; nothing is written.
  public let logPath: String
  public let createdAt: Int64
  public var state = CRIContainerState.created
  public var startedAt: Int64 = 0
  public var finishedAt: Int64 = 0
  public var exitCode: Int32 = 0
  public var reason = ""
  public var message = ""
  public var resources: CRILinuxContainerResources

  mutating func exit(_ code: Int32, at time: Int64, reason: String? = nil, message: String = "") {
    state = .exited
    finishedAt = time
    exitCode = code
    self.reason = reason ?? (code == 0 ? "Completed" : "Error")
    self.message = message
  }

  var item: CRIContainer {
    .with {
      $0.id = id
      $0.podSandboxID = sandboxID
      $0.metadata = config.metadata
      $0.image = config.image
      $0.imageRef = imageID
      $0.imageID = imageID
      $0.state = state
      $0.createdAt = createdAt
      $0.labels = config.labels
      $0.annotations = config.annotations
    }
  }

  var status: CRIContainerStatus {
    .with {
      $0.id = id
      $0.metadata = config.metadata
      $0.state = state
      $0.createdAt = createdAt
      $0.startedAt = startedAt
      $0.finishedAt = finishedAt
      $0.exitCode = exitCode
      $0.image = config.image
      $0.imageRef = imageID
      $0.imageID = imageID
      $0.reason = reason
      $0.message = message
      $0.labels = config.labels
      $0.annotations = config.annotations
      $0.mounts = config.mounts
      $0.logPath = logPath
      $0.resources.linux = resources
    }
  }

  func matches(_ filter: CRIContainerFilter?) -> Bool {
    guard let filter else { return true }
    return (filter.id.isEmpty || id.hasPrefix(filter.id))
      && (!filter.hasState || filter.state.state == state)
      && (filter.podSandboxID.isEmpty || filter.podSandboxID == sandboxID)
      && filter.labelSelector.allSatisfy { config.labels[$0] == $1 }
  }
}
