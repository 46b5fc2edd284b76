import KubeModel
import ServiceProxy

/// What a flow to a Service is recognized by: where its first packet went.
public struct FlowFrontend: Sendable, Hashable {
  public var family: IPFamily
  public var ipProtocol: IPProtocol
  /// `nil`: a node port, on any address of the node.
  public var address: IPAddress?
  public var port: UInt16

  public init(family: IPFamily, ipProtocol: IPProtocol, address: IPAddress?, port: UInt16) {
    self.family = family
    self.ipProtocol = ipProtocol
    self.address = address
    self.port = port
  }

  package init(_ frontend: ResolvedServicePort.Frontend, of port: ResolvedServicePort) {
    self.init(family: port.family, ipProtocol: port.ipProtocol, address: frontend.address, port: frontend.port)
  }

  /// The front ends a packet to this destination may have met: its own first, the node port second.
  package static func candidates(_ ipProtocol: IPProtocol, _ destination: TransportAddress)
    -> (exact: FlowFrontend, nodePort: FlowFrontend)
  {
    let family = destination.address.family
    return (
      FlowFrontend(family: family, ipProtocol: ipProtocol, address: destination.address, port: destination.port),
      FlowFrontend(family: family, ipProtocol: ipProtocol, address: nil, port: destination.port)
    )
  }
}
