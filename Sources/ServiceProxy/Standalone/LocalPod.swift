import KubeModel

/// What standalone Services need to know of a pod on this node.
public struct LocalPod: Sendable, Hashable {
  public struct Port: Sendable, Hashable {
    public var name: String
    public var number: UInt16
    public var ipProtocol: IPProtocol

    public init(name: String, number: UInt16, ipProtocol: IPProtocol) {
      self.name = name
      self.number = number
      self.ipProtocol = ipProtocol
    }
  }

  public var namespace: String
  public var name: String
  public var uid: String
  public var labels: [String: String]
  /// Empty until the sandbox has an address.
  public var addresses: [IPAddress]
  public var isReady: Bool
  /// It is being stopped: it gets no new connections.
  public var isTerminating: Bool
  public var ports: [Port]

  public init(
    namespace: String, name: String, uid: String, labels: [String: String] = [:], addresses: [IPAddress] = [],
    isReady: Bool = false, isTerminating: Bool = false, ports: [Port] = []
  ) {
    self.namespace = namespace
    self.name = name
    self.uid = uid
    self.labels = labels
    self.addresses = addresses
    self.isReady = isReady
    self.isTerminating = isTerminating
    self.ports = ports
  }
}
