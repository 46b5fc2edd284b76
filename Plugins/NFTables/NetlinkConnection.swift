import CNetfilter
import Glibc
import PluginKit

/// What became of a batch.
package enum BatchOutcome {
  case committed
  /// Nothing of it was applied.
  case refused([Refusal])
  /// It may have been applied or not: the answer was lost.
  case unknown(TransportFault)
}

/// One request of a batch the kernel did not like.
package struct Refusal: Equatable, Sendable {
  package var errno: Int32
  /// The kernel's own, often empty.
  package var words: String
  /// Which of the batch's messages; nil: the batch as a whole.
  package var message: Int?
}

/// Speaks nf_tables over a transport: batches and dumps, one at a time.
package final class NetlinkConnection {
  private let transport: any NetlinkTransport
  private let buffer: UnsafeMutableRawBufferPointer
  private let memory = BatchMemory()
  /// Transactions the kernel has committed.
  package private(set) var commits: UInt32 = 0
  private var sequence: UInt32
  /// The longest answer the kernel makes is 32 KiB for a dump.
  private static let bufferSize = 1 << 17

  package var portNumber: UInt32 { transport.portNumber }

  package init(_ transport: any NetlinkTransport, sequence: UInt32 = 1) {
    self.transport = transport
    self.sequence = sequence
    buffer = .allocate(byteCount: Self.bufferSize, alignment: 16)
  }

  deinit { buffer.deallocate() }

  /// Sends messages as one transaction.
  /// - Parameter commit: false has the kernel check them only; `.committed` then means that they would work.
  package func exchange(_ messages: [Message], layouts: [Family: Layout], commit: Bool = true) -> BatchOutcome {
    if messages.isEmpty { return .committed }
    let batch = Encoder.batch(messages, layouts: layouts, sequence: sequence, commit: commit, in: memory)
    sequence = batch.lastSequence &+ 1
    do throws(TransportFault) {
      try transport.send(batch.bytes)
    } catch {
      // What was not sent has no effect.
      return .refused([Refusal(errno: error.errno, words: error.text, message: nil)])
    }
    let outcome = collect(batch)
    if commit, case .committed = outcome { commits &+= 1 }
    return outcome
  }

  /// The last message is acknowledged in any case, a refusal of the whole batch comes under the sequence number of its begin.
  private func collect(_ batch: BatchBytes) -> BatchOutcome {
    var refusals: [Refusal] = []
    var isFinished = false
    let last = batch.firstSequence &+ UInt32(clamping: batch.origins.count)
    while !isFinished {
      let count: Int
      do throws(TransportFault) { count = try transport.receive(into: buffer) } catch { return .unknown(error) }
      let isWhole = NetlinkReply.each(in: UnsafeRawBufferPointer(rebasing: buffer.prefix(count))) { reply in
        let offset = Int(reply.sequence &- batch.firstSequence)
        // Late answers to an earlier batch.
        guard offset <= batch.origins.count, let (errno, words) = reply.acknowledgement else { return }
        if errno != 0 { refusals.append(Refusal(errno: errno, words: words, message: offset == 0 ? nil : batch.origins[safe: offset - 1])) }
        if offset == 0 || reply.sequence == last { isFinished = true }
      }
      if !isWhole || count == 0 { return .unknown(TransportFault(.receive, errno: EBADMSG)) }
    }
    return refusals.isEmpty ? .committed : .refused(refusals)
  }

  package enum DumpOutcome: Equatable {
    case complete
    /// The ruleset changed meanwhile: what was read belongs to two states.
    case interrupted
    case failed(errno: Int32)
    case lost(TransportFault)
  }

  /// Asks for one thing or a list, and hands over each message of the answer.
  /// - Parameter build: writes the payload that narrows the request down.
  package func get(
    _ type: nf_tables_msg_types, _ family: Family, isDump: Bool = true, _ build: (UnsafeMutablePointer<nlmsghdr>) -> Void = { _ in },
    _ item: (UnsafePointer<nlmsghdr>) -> Void
  ) -> DumpOutcome {
    let request = BatchBytes(sequence: sequence, in: memory)
    let number = sequence
    sequence &+= 1
    request.message(type.rawValue, family, flags: UInt32(isDump ? NLM_F_DUMP : NLM_F_ACK), origin: 0, build)
    do throws(TransportFault) { try transport.send(request.bytes) } catch { return .lost(error) }

    var outcome: DumpOutcome?
    var wasInterrupted = false
    while outcome == nil {
      let count: Int
      do throws(TransportFault) { count = try transport.receive(into: buffer) } catch { return .lost(error) }
      let isWhole = NetlinkReply.each(in: UnsafeRawBufferPointer(rebasing: buffer.prefix(count))) { reply in
        guard reply.sequence == number else { return }
        if reply.flags & UInt16(NLM_F_DUMP_INTR) != 0 { wasInterrupted = true }
        if Int32(reply.type) == NLMSG_DONE {
          outcome = .complete
        } else if let (errno, _) = reply.acknowledgement {
          outcome = errno == 0 ? .complete : .failed(errno: errno)
        } else {
          item(reply.header)
        }
      }
      if !isWhole || count == 0 { return .lost(TransportFault(.receive, errno: EBADMSG)) }
    }
    if wasInterrupted { return .interrupted }
    return outcome ?? .complete
  }
}

extension RandomAccessCollection {
  /// A plug-in must not trap, so an index that may be wrong is asked about.
  package subscript(safe index: Index) -> Element? { indices.contains(index) ? self[index] : nil }
}
