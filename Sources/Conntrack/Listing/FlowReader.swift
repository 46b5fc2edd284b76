import CConntrack

/// Reads what libnetfilter_conntrack knows of an entry beyond its addresses. One object, used again for each entry.
final class FlowReader {
  private let entry: OpaquePointer?

  init() { entry = nfct_new() }

  deinit { if let entry { nfct_destroy(entry) } }

  func read(_ reply: NetlinkReply, _ flow: TrackedFlow) -> ListedFlow {
    var listed = ListedFlow(flow: flow)
    // The object keeps what an earlier entry had and this one lacks.
    guard let entry else { return listed }
    for attribute in Self.attributes { nfct_attr_unset(entry, attribute) }
    guard nfct_nlmsg_parse(reply.header, entry) >= 0 else { return listed }
    if let status = number(ATTR_STATUS, nfct_get_attr_u32) {
      listed.isReplied = status & UInt32(IPS_SEEN_REPLY.rawValue) != 0
      listed.isAssured = status & UInt32(IPS_ASSURED.rawValue) != 0
    }
    listed.timeout = number(ATTR_TIMEOUT, nfct_get_attr_u32)
    listed.state = state()
    listed.originalCounter = counter(ATTR_ORIG_COUNTER_PACKETS, ATTR_ORIG_COUNTER_BYTES)
    listed.replyCounter = counter(ATTR_REPL_COUNTER_PACKETS, ATTR_REPL_COUNTER_BYTES)
    return listed
  }

  private func state() -> String? {
    if let number = number(ATTR_TCP_STATE, nfct_get_attr_u8) { return Self.name(number, Self.tcpStates) }
    if let number = number(ATTR_SCTP_STATE, nfct_get_attr_u8) { return Self.name(number, Self.sctpStates) }
    return nil
  }

  private func counter(_ packets: nf_conntrack_attr, _ bytes: nf_conntrack_attr) -> FlowCounter? {
    guard let packets = number(packets, nfct_get_attr_u64), let bytes = number(bytes, nfct_get_attr_u64) else { return nil }
    return FlowCounter(packets: packets, bytes: bytes)
  }

  private func number<Value>(_ attribute: nf_conntrack_attr, _ get: (OpaquePointer?, nf_conntrack_attr) -> Value) -> Value? {
    nfct_attr_is_set(entry, attribute) > 0 ? get(entry, attribute) : nil
  }

  private static func name(_ number: UInt8, _ names: [String]) -> String {
    names.indices.contains(Int(number)) ? names[Int(number)] : "state \(number)"
  }

  private static let attributes = [
    ATTR_STATUS, ATTR_TIMEOUT, ATTR_TCP_STATE, ATTR_SCTP_STATE, ATTR_ORIG_COUNTER_PACKETS, ATTR_ORIG_COUNTER_BYTES,
    ATTR_REPL_COUNTER_PACKETS, ATTR_REPL_COUNTER_BYTES,
  ]
  /// In the order of the kernel's enumerations.
  private static let tcpStates = [
    "NONE", "SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT", "CLOSE", "SYN_SENT2",
  ]
  private static let sctpStates = [
    "NONE", "CLOSED", "COOKIE_WAIT", "COOKIE_ECHOED", "ESTABLISHED", "SHUTDOWN_SENT", "SHUTDOWN_RECD", "SHUTDOWN_ACK_SENT",
    "HEARTBEAT_SENT", "HEARTBEAT_ACKED",
  ]
}
