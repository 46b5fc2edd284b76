import CConntrack
import KubeModel

/// Deletions of single entries, to be sent as one datagram. Each names its entry by the tuple and the id the kernel gave
/// out: without a tuple the kernel would empty the whole table, and there is no way to write that down here.
package struct DeletionBatch {
  package private(set) var bytes: [UInt8] = []
  /// Of each deletion, in order.
  package private(set) var reasons: [StaleReason] = []
  package private(set) var firstSequence: UInt32
  private var lastOffset = 0

  package init(firstSequence: UInt32) { self.firstSequence = firstSequence }

  package var lastSequence: UInt32 { firstSequence &+ UInt32(max(reasons.count, 1) - 1) }

  package mutating func append(_ message: FlowMessage, _ reason: StaleReason) {
    // Eight bytes are two attribute headers: less names nothing.
    guard message.originalTuple.count > 8 else { return }
    lastOffset = bytes.count
    put(UInt32(0))
    put(UInt16(NFNL_SUBSYS_CTNETLINK) << 8 | UInt16(IPCTNL_MSG_CT_DELETE.rawValue))
    put(UInt16(NLM_F_REQUEST))
    put(firstSequence &+ UInt32(reasons.count))
    put(UInt32(0))
    put(UInt8(message.flow.original.source.address.family == .v4 ? AF_INET : AF_INET6))
    put(UInt8(NFNETLINK_V0))
    put(UInt16(0))
    bytes.append(contentsOf: message.originalTuple)
    bytes.append(contentsOf: repeatElement(0, count: (4 - bytes.count % 4) % 4))
    if let zone = message.zone { attribute(CTA_ZONE, zone) }
    attribute(CTA_ID, message.id)
    overwrite(UInt32(bytes.count - lastOffset), at: lastOffset)
    reasons.append(reason)
  }

  /// Has the kernel say when it is through; failures it reports in any case.
  package mutating func close() {
    if !reasons.isEmpty { overwrite(UInt16(NLM_F_REQUEST | NLM_F_ACK), at: lastOffset + 6) }
  }

  /// Begins anew behind what was sent.
  package mutating func reset(firstSequence: UInt32) {
    bytes.removeAll(keepingCapacity: true)
    reasons.removeAll(keepingCapacity: true)
    self.firstSequence = firstSequence
  }

  private mutating func attribute<Value: FixedWidthInteger>(_ type: ctattr_type, _ value: Value) {
    put(UInt16(4 + MemoryLayout<Value>.size))
    put(UInt16(type.rawValue))
    put(value)
    bytes.append(contentsOf: repeatElement(0, count: (4 - bytes.count % 4) % 4))
  }

  private mutating func put(_ value: some FixedWidthInteger) {
    withUnsafeBytes(of: value) { bytes.append(contentsOf: $0) }
  }

  private mutating func overwrite(_ value: some FixedWidthInteger, at offset: Int) {
    withUnsafeBytes(of: value) { bytes.replaceSubrange(offset..<offset + $0.count, with: $0) }
  }
}
