import KubeModel

/// Why a service port behaves as it does on this node, in sentences.
public struct ServicePortExplanation: Sendable, Hashable {
  /// As in `ResolvedServicePort`.
  public var key: String
  public var family: IPFamily
  public var endpoints: [EndpointExplanation]
  /// What the hints of the slices do, or why they are ignored; empty where there are none.
  public var topology: [String]
  public var frontends: [FrontendExplanation]

  public init(
    key: String, family: IPFamily, endpoints: [EndpointExplanation], topology: [String], frontends: [FrontendExplanation]
  ) {
    self.key = key
    self.family = family
    self.endpoints = endpoints
    self.topology = topology
    self.frontends = frontends
  }
}

/// One endpoint as the slices have it, used or not.
public struct EndpointExplanation: Sendable, Hashable {
  public var address: IPAddress
  public var port: UInt16
  public var nodeName: String?
  public var zone: String?
  /// "namespace/name"
  public var pod: String?
  public var isReady: Bool
  public var isServing: Bool
  public var isTerminating: Bool
  public var onNode: Bool
  /// Answers where the cluster's endpoints are selected, and where the local ones are.
  public var servesCluster: Bool
  public var servesLocal: Bool
  public var reason: String
}

/// One front end, and what it does with the client asked about.
public struct FrontendExplanation: Sendable, Hashable {
  public struct Outcome: Sendable, Hashable {
    public enum Verdict: Sendable, Hashable { case served, refused, dropped }

    public var verdict: Verdict
    public var selection: ResolvedServicePort.Frontend.Selection
    /// Whether the endpoint sees the node instead of the client.
    public var isMasqueraded: Bool
    public var isOutsideSourceRanges: Bool
    /// "10.1.0.1:8080"; those one of which answers.
    public var endpoints: [String]
    public var reason: String
  }

  public var frontend: ResolvedServicePort.Frontend
  /// `nil` when nobody was asked about, or the client is of the other family.
  public var outcome: Outcome?
}
