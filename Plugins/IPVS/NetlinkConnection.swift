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
  /// The datagram being written. Fewer requests are sent at once where these do not have room in it.
  private var buffer = [UInt8](repeating: 0, count: 1 << 16)
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
    try exchange(requests.count, flags: flags) { place, builder in
      guard let request = requests[safe: place] else { return false }
      builder.copy(request)
      return true
    }
  }

  /// The same for many: each is written when its turn comes, where it is sent from.
  /// - Parameter write: writes the one at a place; false: there is no such request.
  package func exchange(
    _ count: Int, flags: Int32 = 0, write: (Int, inout Request.Builder) -> Bool
  ) throws(TransportFault) -> [Refusal] {
    var refusals: [Refusal] = []
    var start = 0
    while start < count {
      let first = sequence
      var size = 0
      var end = start
      let limit = min(start + Self.packing, count)
      while end < limit, buffer.count - size >= Request.capacity {
        // Only refusals are answered, and the last in any case: that is how the end is known.
        let isLast = end == limit - 1 || buffer.count - size < 2 * Request.capacity
        size += try append(at: size, flags: isLast ? flags | NLM_F_ACK : flags) { write(end, &$0) }
        end += 1
      }
      try send(size)
      refusals += try collect(from: first, through: sequence &- 1, offset: start)
      start = end
    }
    return refusals
  }

  /// With the next sequence number.
  /// - Returns: how many bytes it has.
  private func append(at offset: Int, flags: Int32, _ write: (inout Request.Builder) -> Bool) throws(TransportFault) -> Int {
    var errno = EINVAL
    let size = buffer.withUnsafeMutableBytes { raw -> Int? in
      var builder = Request.Builder(UnsafeMutableRawBufferPointer(rebasing: raw.dropFirst(offset).prefix(Request.capacity)))
      guard write(&builder) else { return nil }
      errno = EMSGSIZE
      return builder.close(sequence: sequence, flags: UInt16(truncatingIfNeeded: flags))
    }
    guard let size else { throw TransportFault(.send, errno: errno) }
    sequence &+= 1
    return size
  }

  private func send(_ size: Int) throws(TransportFault) {
    let sent = buffer.withUnsafeBytes { raw -> Result<Void, TransportFault> in
      Result { () throws(TransportFault) in try transport.send(UnsafeRawBufferPointer(rebasing: raw.prefix(size))) }
    }
    try sent.get()
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
    let size = try append(at: 0, flags: isDump ? NLM_F_DUMP : NLM_F_ACK) { builder in
      builder.copy(request)
      return true
    }
    try send(size)
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
