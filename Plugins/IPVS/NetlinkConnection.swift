import CIPVS
import Glibc
import PluginKit

/// One request the kernel did not like.
package struct Refusal: Equatable, Sendable {
  /// Which of the requests.
  package var index: Int
  package var errno: Int32
  /// The kernel's own, often empty.
  package var words: String

  package init(index: Int, errno: Int32, words: String) {
    self.index = index
    self.errno = errno
    self.words = words
  }
}

/// Requests and answers over one transport, one exchange at a time.
package final class NetlinkConnection {
  private let transport: any NetlinkTransport
  private var sequence: UInt32
  /// The kernel works a datagram off as a whole. What it answers has to fit the receive buffer, refusals of each included.
  package static let packing = 256
  /// An interrupted dump is asked again; on a busy machine that happens, ten times in a row it does not.
  private static let attempts = 10

  package init(_ transport: any NetlinkTransport, sequence: UInt32 = 1) {
    self.transport = transport
    self.sequence = sequence
  }

  package func family(_ name: String) throws(TransportFault) -> UInt16 { try transport.family(name) }

  /// Sends requests packed into few datagrams. Each stands alone: the kernel goes on after one it refuses.
  /// - Returns: the refused ones. Throws when it is not known how far the kernel came.
  package func exchange(_ requests: [Request], flags: Int32 = 0) throws(TransportFault) -> [Refusal] {
    try exchange(requests.count, flags: flags) { requests[safe: $0] }
  }

  /// The same for many: each is written only when its turn comes.
  /// - Parameter request: the one at a place; nil: there is no such request.
  package func exchange(_ count: Int, flags: Int32 = 0, request: (Int) -> Request?) throws(TransportFault) -> [Refusal] {
    var refusals: [Refusal] = []
    var datagram: [UInt8] = []
    for start in stride(from: 0, to: count, by: Self.packing) {
      let end = min(start + Self.packing, count)
      let first = sequence
      datagram.removeAll(keepingCapacity: true)
      for place in start..<end {
        // Only refusals are answered, and the last in any case: that is how the end is known.
        let acknowledge = place == end - 1 ? NLM_F_ACK : 0
        try append(request(place), to: &datagram, flags: flags | acknowledge)
      }
      try transport.send(datagram)
      refusals += try collect(from: first, through: sequence &- 1, offset: start)
    }
    return refusals
  }

  /// With the next sequence number.
  private func append(_ request: Request?, to datagram: inout [UInt8], flags: Int32) throws(TransportFault) {
    guard let request, !request.bytes.isEmpty else { throw TransportFault(.send, errno: request == nil ? EINVAL : EMSGSIZE) }
    request.append(to: &datagram, sequence: sequence, flags: UInt16(truncatingIfNeeded: flags))
    sequence &+= 1
  }

  private func collect(from first: UInt32, through last: UInt32, offset: Int) throws(TransportFault) -> [Refusal] {
    var refusals: [Refusal] = []
    while true {
      guard let replies = NetlinkReply.all(in: try transport.receive()), !replies.isEmpty else {
        throw TransportFault(.receive, errno: EBADMSG)
      }
      for reply in replies {
        // Late answers to an earlier exchange are not ours.
        let place = reply.sequence &- first
        guard place <= last &- first, let (errno, words) = reply.acknowledgement else { continue }
        if errno != 0 { refusals.append(Refusal(index: offset + Int(place), errno: errno, words: words)) }
        if reply.sequence == last { return refusals }
      }
    }
  }

  package enum Answer: Equatable {
    case complete
    case refused(errno: Int32, words: String)
  }

  /// Asks for one thing or a list, and hands over the payload of each message of the answer.
  package func get(_ request: Request, isDump: Bool) throws(TransportFault) -> (answer: Answer, items: [ArraySlice<UInt8>]) {
    for _ in 0..<Self.attempts {
      if let result = try getOnce(request, isDump) { return result }
    }
    throw TransportFault(.receive, errno: EAGAIN)
  }

  /// nil: what was dumped changed meanwhile.
  private func getOnce(_ request: Request, _ isDump: Bool) throws(TransportFault) -> (Answer, [ArraySlice<UInt8>])? {
    let number = sequence
    var datagram: [UInt8] = []
    try append(request, to: &datagram, flags: isDump ? NLM_F_DUMP : NLM_F_ACK)
    try transport.send(datagram)
    var items: [ArraySlice<UInt8>] = []
    var wasInterrupted = false
    while true {
      guard let replies = NetlinkReply.all(in: try transport.receive()), !replies.isEmpty else {
        throw TransportFault(.receive, errno: EBADMSG)
      }
      for reply in replies where reply.sequence == number {
        if reply.flags & UInt16(NLM_F_DUMP_INTR) != 0 { wasInterrupted = true }
        if Int32(reply.type) == NLMSG_DONE {
          // A dump that broke off says why at its end (netlink_dump_done).
          let status = reply.payload.withUnsafeBytes { $0.count >= 4 ? $0.loadUnaligned(as: Int32.self) : 0 }
          if status < 0 { return (.refused(errno: -status, words: ""), items) }
          return wasInterrupted ? nil : (.complete, items)
        } else if let (errno, words) = reply.acknowledgement {
          return (errno == 0 ? .complete : .refused(errno: errno, words: words), items)
        } else {
          items.append(reply.payload)
        }
      }
    }
  }
}
