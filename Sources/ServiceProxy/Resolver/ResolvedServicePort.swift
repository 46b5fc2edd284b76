import KubeModel

/// One port of one Service in one IP family, resolved for this node: what the kernel must do, nothing left to decide.
/// The unit of change: backends receive whole service ports or their keys.
public struct ResolvedServicePort: Sendable, Hashable {
  /// "namespace/name:port/TCP/4"; unique in the node.
  public var key: String
  public var family: IPFamily
  public var ipProtocol: IPProtocol
  public var frontends: [Frontend]
  /// Sorted by address and port, no duplicates, so that equal sets compare equal.
  public var endpoints: [Endpoint]
  /// Endpoints that still serve but get no new connection here; of protocols whose flows have no end of their own (UDP,
  /// SCTP), lest those flows are taken for stale. Not for backends. As upstream: whatever serves keeps its flows.
  public var lingering: [Endpoint]
  /// 0: no session affinity.
  public var affinitySeconds: UInt32
  /// For front ends that check their clients' source; of this family.
  public var sourceRanges: [CIDR]

  public init(
    key: String, family: IPFamily, ipProtocol: IPProtocol, frontends: [Frontend], endpoints: [Endpoint],
    affinitySeconds: UInt32 = 0, sourceRanges: [CIDR] = [], lingering: [Endpoint] = []
  ) {
    self.key = key
    self.family = family
    self.ipProtocol = ipProtocol
    self.frontends = frontends
    self.endpoints = endpoints
    self.affinitySeconds = affinitySeconds
    self.sourceRanges = sourceRanges
    self.lingering = lingering
  }

  /// Where clients knock.
  public struct Frontend: Sendable, Hashable {
    public enum Kind: Int32, Sendable { case clusterIP = 1, nodePort, externalIP, loadBalancer }
    public enum Masquerade: Int32, Sendable { case hairpin = 0, fromOutside, always }
    public enum Selection: Int32, Sendable { case cluster = 1, local }
    public enum WhenEmpty: Int32, Sendable { case refuse = 1, drop }

    /// `nil` for a node port: every address node ports answer on.
    public var address: IPAddress?
    public var kind: Kind
    public var port: UInt16
    public var masquerade: Masquerade
    public var selection: Selection
    public var whenEmpty: WhenEmpty
    /// The node and its pods select as `cluster` here, whatever `selection` says; the node is masqueraded then.
    public var servesNear: Bool
    /// Only clients in the port's `sourceRanges` are served.
    public var checksSource: Bool

    public init(
      kind: Kind, address: IPAddress?, port: UInt16, masquerade: Masquerade = .hairpin, selection: Selection = .cluster,
      whenEmpty: WhenEmpty = .refuse, servesNear: Bool = false, checksSource: Bool = false
    ) {
      self.kind = kind
      self.address = address
      self.port = port
      self.masquerade = masquerade
      self.selection = selection
      self.whenEmpty = whenEmpty
      self.servesNear = servesNear
      self.checksSource = checksSource
    }
  }

  /// Who answers.
  public struct Endpoint: Sendable, Hashable {
    public var address: IPAddress
    public var port: UInt16
    /// Answers at front ends that select the cluster's endpoints.
    public var servesCluster: Bool
    /// Answers at front ends that select local endpoints.
    public var servesLocal: Bool
    /// Runs on this node, so that it can connect to itself.
    public var onNode: Bool

    public init(address: IPAddress, port: UInt16, servesCluster: Bool = true, servesLocal: Bool = false, onNode: Bool = false) {
      self.address = address
      self.port = port
      self.servesCluster = servesCluster
      self.servesLocal = servesLocal
      self.onNode = onNode
    }
  }
}
