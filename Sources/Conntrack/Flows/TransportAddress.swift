import KubeModel

/// An address and a port.
public struct TransportAddress: Sendable, Hashable, CustomStringConvertible {
  public var address: IPAddress
  public var port: UInt16

  public init(_ address: IPAddress, _ port: UInt16) {
    self.address = address
    self.port = port
  }

  public var description: String { address.family == .v6 ? "[\(address)]:\(port)" : "\(address):\(port)" }
}
