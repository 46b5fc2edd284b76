import CConntrack
import KubeModel

/// One tracked flow in full, for people.
public struct ListedFlow: Sendable, Hashable {
  public var flow: TrackedFlow
  /// As `conntrack` names it; `nil` for UDP, which has none.
  public var state: String?
  /// An answer was seen.
  public var isReplied: Bool
  /// Too valuable to make room for new ones when the table is full.
  public var isAssured: Bool
  /// Seconds until it is forgotten if no packet comes.
  public var timeout: UInt32?
  public var originalCounter: FlowCounter?
  public var replyCounter: FlowCounter?

  public init(
    flow: TrackedFlow, state: String? = nil, isReplied: Bool = false, isAssured: Bool = false, timeout: UInt32? = nil,
    originalCounter: FlowCounter? = nil, replyCounter: FlowCounter? = nil
  ) {
    self.flow = flow
    self.state = state
    self.isReplied = isReplied
    self.isAssured = isAssured
    self.timeout = timeout
    self.originalCounter = originalCounter
    self.replyCounter = replyCounter
  }
}

extension ListedFlow: CustomStringConvertible {
  /// "UDP 192.0.2.7:4000 -> 10.96.0.10:53 at 10.1.0.1:53, UNREPLIED, 29 s left"
  public var description: String {
    var parts = ["\(flow.ipProtocol) \(flow.original) at \(flow.reply.source)"]
    if let state { parts.append(state) }
    if !isReplied { parts.append("UNREPLIED") }
    if isAssured { parts.append("ASSURED") }
    if let originalCounter { parts.append("\(originalCounter.packets) packets \(originalCounter.bytes) bytes there") }
    if let replyCounter { parts.append("\(replyCounter.packets) packets \(replyCounter.bytes) bytes back") }
    if let timeout { parts.append("\(timeout) s left") }
    return parts.joined(separator: ", ")
  }
}
