import CNetfilter
import Glibc
import NFTables

/// The kernel's end of a netlink socket, played by the test: has no table at first and answers batches as it is told, with
/// success when it was told nothing.
final class ScriptedKernel: NetlinkTransport {
  enum Answer {
    case accept
    /// About the n-th message behind the begin; 0: the batch as a whole.
    case refuse(Int32, message: Int = 1, words: String = "")
    /// Applied or not, nothing comes back.
    case lose(errno: Int32)
    /// A datagram that ends in the middle of a message.
    case truncate
    case refuseToSend(errno: Int32)
  }

  /// For the next batches, in order.
  var answers: [Answer] = []
  /// For batches that contain these bytes, as long as they stand here.
  var poison: (bytes: [UInt8], errno: Int32)?
  /// Dumps that are interrupted by somebody's transaction before one is not.
  var interruptions = 0
  /// Errno for whatever asks for a table.
  var tableErrno = ENOENT
  private(set) var batches: [[UInt8]] = []
  private(set) var requests = 0
  private var pending: [Result<[UInt8], TransportFault>] = []

  func send(_ datagram: UnsafeRawBufferPointer) throws(TransportFault) {
    let headers = Self.headers(datagram)
    guard headers.first?.type == UInt16(NFNL_MSG_BATCH_BEGIN) else {
      answerRequest(headers)
      return
    }
    batches.append(Array(datagram))
    var answer = answers.isEmpty ? Answer.accept : answers.removeFirst()
    if let poison, Self.contains(datagram, poison.bytes) { answer = .refuse(poison.errno) }
    let last = headers.last { $0.flags & UInt16(NLM_F_ACK) != 0 }?.sequence ?? 0
    switch answer {
    case .accept: pending.append(.success(Self.acknowledgement(last, 0)))
    case .refuse(let errno, let message, let words):
      let sequence = message < headers.count ? headers[message].sequence : last
      pending.append(.success(Self.acknowledgement(sequence, errno, words)))
      if sequence != last { pending.append(.success(Self.acknowledgement(last, 0))) }
    case .lose(let errno): pending.append(.failure(TransportFault(.receive, errno: errno)))
    case .truncate: pending.append(.success(Array(Self.acknowledgement(last, 0).dropLast(6))))
    case .refuseToSend(let errno):
      batches.removeLast()
      throw TransportFault(.send, errno: errno)
    }
  }

  func receive(into buffer: UnsafeMutableRawBufferPointer) throws(TransportFault) -> Int {
    guard !pending.isEmpty else { throw TransportFault(.receive, errno: EAGAIN) }
    let bytes = try pending.removeFirst().get()
    buffer.copyBytes(from: bytes)
    return bytes.count
  }

  private func answerRequest(_ headers: [(type: UInt16, flags: UInt16, sequence: UInt32)]) {
    requests += 1
    guard let request = headers.first else { return }
    if interruptions > 0 {
      interruptions -= 1
      pending.append(.success(Self.message(UInt16(NLMSG_DONE), UInt16(NLM_F_MULTI | NLM_F_DUMP_INTR), request.sequence, [0, 0, 0, 0])))
    } else if request.flags & UInt16(NLM_F_DUMP) == UInt16(NLM_F_DUMP) {
      pending.append(.success(Self.message(UInt16(NLMSG_DONE), UInt16(NLM_F_MULTI), request.sequence, [0, 0, 0, 0])))
    } else {
      pending.append(.success(Self.acknowledgement(request.sequence, tableErrno)))
    }
  }

  // MARK: - Bytes

  private static func acknowledgement(_ sequence: UInt32, _ errno: Int32, _ words: String = "") -> [UInt8] {
    var payload = bytes(-errno) + [UInt8](repeating: 0, count: MemoryLayout<nlmsghdr>.size)
    var flags: UInt16 = 0x100
    if !words.isEmpty {
      let text = Array(words.utf8) + [0]
      payload += bytes(UInt16(text.count + 4)) + bytes(UInt16(1)) + text
      payload += [UInt8](repeating: 0, count: (4 - payload.count % 4) % 4)
      flags |= 0x200
    }
    return message(UInt16(NLMSG_ERROR), flags, sequence, payload)
  }

  private static func message(_ type: UInt16, _ flags: UInt16, _ sequence: UInt32, _ payload: [UInt8]) -> [UInt8] {
    bytes(UInt32(payload.count + 16)) + bytes(type) + bytes(flags) + bytes(sequence) + bytes(UInt32(0)) + payload
  }

  private static func bytes(_ value: some FixedWidthInteger) -> [UInt8] { withUnsafeBytes(of: value) { Array($0) } }

  private static func headers(_ datagram: UnsafeRawBufferPointer) -> [(type: UInt16, flags: UInt16, sequence: UInt32)] {
    var headers: [(UInt16, UInt16, UInt32)] = []
    _ = NetlinkReply.each(in: datagram) { headers.append(($0.type, $0.flags, $0.sequence)) }
    return headers
  }

  private static func contains(_ datagram: UnsafeRawBufferPointer, _ needle: [UInt8]) -> Bool {
    guard let first = needle.first, datagram.count >= needle.count else { return false }
    return (0...(datagram.count - needle.count)).contains { start in
      datagram[start] == first && datagram[start..<start + needle.count].elementsEqual(needle)
    }
  }
}
