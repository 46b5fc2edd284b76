import CRI
import SwiftProtobuf

/// A pod sandbox of `FakeRuntime`.
public struct FakeSandbox: Sendable {
  public let id: String
  public let config: CRIPodSandboxConfig
  public let runtimeHandler: String
  /// Empty on the host's network.
  public let ip: String
  public let createdAt: Int64
  public var state = CRIPodSandboxState.ready

  /// `namespace/pod`
  public var name: String { config.metadata.namespace + "/" + config.metadata.name }

  var item: CRIPodSandbox {
    .with {
      $0.id = id
      $0.metadata = config.metadata
      $0.state = state
      $0.createdAt = createdAt
      $0.labels = config.labels
      $0.annotations = config.annotations
      $0.runtimeHandler = runtimeHandler
    }
  }

  var status: CRIPodSandboxStatus {
    .with {
      $0.id = id
      $0.metadata = config.metadata
      $0.state = state
      $0.createdAt = createdAt
      $0.network.ip = ip
      $0.linux.namespaces.options = config.linux.securityContext.namespaceOptions
      $0.labels = config.labels
      $0.annotations = config.annotations
      $0.runtimeHandler = runtimeHandler
    }
  }

  func matches(_ filter: CRIPodSandboxFilter?) -> Bool {
    guard let filter else { return true }
    return (filter.id.isEmpty || id.hasPrefix(filter.id))
      && (!filter.hasState || filter.state.state == state)
      && filter.labelSelector.allSatisfy { config.labels[$0] == $1 }
  }
}
