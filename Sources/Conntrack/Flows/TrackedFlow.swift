import KubeModel

/// What the kernel knows a flow by: the first packet's addresses, and those it expects of answers. Address translation shows
/// in the difference: where the answers come from is where the packets really go.
public struct TrackedFlow: Sendable, Hashable, CustomStringConvertible {
  public var ipProtocol: IPProtocol
  public var original: FlowTuple
  public var reply: FlowTuple

  public init(ipProtocol: IPProtocol, original: FlowTuple, reply: FlowTuple) {
    self.ipProtocol = ipProtocol
    self.original = original
    self.reply = reply
  }

  public var description: String { "\(ipProtocol) \(original), answered \(reply)" }
}
