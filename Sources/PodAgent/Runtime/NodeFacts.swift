import KubeModel

/// What the agent knows of the machine it runs on and how it was set up.
public struct NodeFacts: Sendable, Equatable {
  public var nodeName: String
  /// The node's own addresses, primary first.
  public var addresses: [IPAddress]
  public var cpuMillis: Int64
  /// Bytes.
  public var memoryBytes: Int64
  /// Per-pod directories, volumes and checkpoints: "/var/lib/swiftlet".
  public var rootDirectory: String
  /// "/var/log/pods"
  public var logDirectory: String
  public var clusterDomain: String
  public var clusterDNS: [IPAddress]
  /// Whether oom_score_adj can be lowered below our own; many sandboxes withhold CAP_SYS_RESOURCE.
  public var lowestOOMScoreAdjustment: Int64

  public init(
    nodeName: String, addresses: [IPAddress] = [], cpuMillis: Int64 = 1000, memoryBytes: Int64 = 0,
    rootDirectory: String = "/var/lib/swiftlet", logDirectory: String = "/var/log/pods", clusterDomain: String = "",
    clusterDNS: [IPAddress] = [], lowestOOMScoreAdjustment: Int64 = -1000
  ) {
    self.nodeName = nodeName
    self.addresses = addresses
    self.cpuMillis = cpuMillis
    self.memoryBytes = memoryBytes
    self.rootDirectory = rootDirectory
    self.logDirectory = logDirectory
    self.clusterDomain = clusterDomain
    self.clusterDNS = clusterDNS
    self.lowestOOMScoreAdjustment = lowestOOMScoreAdjustment
  }

  public func podDirectory(_ uid: String) -> String { "\(rootDirectory)/pods/\(uid)" }

  public func podLogDirectory(_ pod: ManagedPod) -> String {
    "\(logDirectory)/\(pod.namespace)_\(pod.name)_\(pod.uid)"
  }
}
