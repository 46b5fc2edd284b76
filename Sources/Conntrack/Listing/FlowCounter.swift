/// What went by in one direction. The kernel counts only where `net.netfilter.nf_conntrack_acct` was on when the flow began.
public struct FlowCounter: Sendable, Hashable {
  public var packets: UInt64
  public var bytes: UInt64

  public init(packets: UInt64, bytes: UInt64) {
    self.packets = packets
    self.bytes = bytes
  }
}
