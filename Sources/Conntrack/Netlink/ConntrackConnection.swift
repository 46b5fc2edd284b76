import CConntrack
import Glibc

/// Speaks conntrack netlink over a transport: dumps and deletions, one at a time.
package final class ConntrackConnection {
  private let transport: any NetlinkTransport
  private let buffer: UnsafeMutableRawBufferPointer
  private var sequence: UInt32 = 1
  /// Until the kernel says that it cannot compare tuples.
  private var narrows = true
  /// The longest answer the kernel makes is 32 KiB for a dump.
  private static let bufferSize = 1 << 17

  package init(_ transport: any NetlinkTransport) {
    self.transport = transport
    buffer = .allocate(byteCount: Self.bufferSize, alignment: 16)
  }

  deinit { buffer.deallocate() }

  /// Walks the table. What `item` is given is gone when it returns; `pause` is called between two datagrams.
  package func dump(_ scope: FlowScope, _ item: (NetlinkReply) -> Void, pause: () throws(ConntrackFault) -> Void) throws(ConntrackFault) {
    if narrows, scope.isNarrow {
      do throws(ConntrackFault) {
        return try walk(scope, isNarrow: true, item, pause)
      } catch {
        // Refused before the first entry: the same question in a form every kernel knows.
        guard error.osErrno == EINVAL || error.osErrno == EOPNOTSUPP else { throw error }
        narrows = false
      }
    }
    do throws(ConntrackFault) {
      try walk(scope, isNarrow: false, item, pause)
    } catch {
      // What nfnetlink says of a subsystem it does not have.
      guard error.osErrno == EINVAL else { throw error }
      throw ConntrackFault(error.operation, kind: .unsupported, errno: error.osErrno)
    }
  }

  private func walk(_ scope: FlowScope, isNarrow: Bool, _ item: (NetlinkReply) -> Void, _ pause: () throws(ConntrackFault) -> Void)
    throws(ConntrackFault)
  {
    let number = sequence
    sequence &+= 1
    let request = DumpRequest.bytes(scope, sequence: number, isNarrow: isNarrow)
    try send(request)
    var status: Int32?
    var wasInterrupted = false
    while status == nil {
      let count = try transport.receive(into: buffer)
      let isWhole = NetlinkReply.each(in: UnsafeRawBufferPointer(rebasing: buffer.prefix(count))) { reply in
        guard reply.sequence == number else { return }
        if reply.flags & UInt16(NLM_F_DUMP_INTR) != 0 { wasInterrupted = true }
        if let end = reply.status { status = end } else { item(reply) }
      }
      if !isWhole || count == 0 { throw ConntrackFault("list tracked flows", errno: EBADMSG) }
      try pause()
    }
    if let status, status != 0 { throw ConntrackFault("list tracked flows", errno: status) }
    if wasInterrupted { throw ConntrackFault("list tracked flows", errno: EINTR) }
  }

  package func makeBatch() -> DeletionBatch { DeletionBatch(firstSequence: sequence) }

  /// Deletes what the batch names, and readies the batch for the next.
  package func delete(_ batch: inout DeletionBatch) throws(ConntrackFault) -> DeletionOutcome {
    guard !batch.reasons.isEmpty else { return DeletionOutcome() }
    batch.close()
    let last = batch.lastSequence
    sequence = last &+ 1
    defer { batch.reset(firstSequence: sequence) }
    try send(batch.bytes)
    var failures: [Int: Int32] = [:]
    var isFinished = false
    while !isFinished {
      let count = try transport.receive(into: buffer)
      let isWhole = NetlinkReply.each(in: UnsafeRawBufferPointer(rebasing: buffer.prefix(count))) { reply in
        let index = Int(reply.sequence &- batch.firstSequence)
        // Late answers to an earlier batch.
        guard index < batch.reasons.count, let status = reply.status else { return }
        if status != 0 { failures[index] = status }
        if reply.sequence == last { isFinished = true }
      }
      if !isWhole || count == 0 { throw ConntrackFault("delete stale flows", errno: EBADMSG) }
    }
    return DeletionOutcome(batch.reasons, failures)
  }

  private func send(_ bytes: [UInt8]) throws(ConntrackFault) {
    var fault: ConntrackFault?
    bytes.withUnsafeBytes { raw in
      do throws(ConntrackFault) { try transport.send(raw) } catch { fault = error }
    }
    if let fault { throw fault }
  }
}
