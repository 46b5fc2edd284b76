/// One direction of a tracked flow, as its packets look when they arrive.
public struct FlowTuple: Sendable, Hashable, CustomStringConvertible {
  public var source: TransportAddress
  public var destination: TransportAddress

  public init(source: TransportAddress, destination: TransportAddress) {
    self.source = source
    self.destination = destination
  }

  public var description: String { "\(source) -> \(destination)" }
}
