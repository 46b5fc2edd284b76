import CNetfilter
import Glibc
import NFTables

/// Stands between the backend and the real kernel and spoils batches as it is told.
final class Meddler: NetlinkTransport {
  enum Deed: Sendable {
    /// The kernel applies it; its answer never arrives.
    case loseAnswer(Int32)
    /// The kernel never sees it, and nobody answers.
    case swallow
    /// The kernel never sees it and is said to have refused it.
    case refuse(Int32)
  }

  var socket: NetlinkSocket?
  var deeds: [Deed] = []
  private(set) var batches = 0
  private var answers: [Result<[UInt8], TransportFault>] = []

  func send(_ datagram: UnsafeRawBufferPointer) throws(TransportFault) {
    guard let socket else { throw TransportFault(.send, errno: EBADF) }
    var first: (type: UInt16, sequence: UInt32)?
    _ = NetlinkReply.each(in: datagram) { if first == nil { first = ($0.type, $0.sequence) } }
    guard let first, first.type == UInt16(NFNL_MSG_BATCH_BEGIN) else { return try socket.send(datagram) }
    batches += 1
    if deeds.isEmpty { return try socket.send(datagram) }
    switch deeds.removeFirst() {
    case .loseAnswer(let errno):
      try socket.send(datagram)
      answers = [.failure(TransportFault(.receive, errno: errno))]
    case .swallow: answers = [.failure(TransportFault(.receive, errno: EAGAIN))]
    case .refuse(let errno): answers = [.success(Self.refusal(first.sequence, errno))]
    }
  }

  func receive(into buffer: UnsafeMutableRawBufferPointer) throws(TransportFault) -> Int {
    guard answers.isEmpty else {
      let bytes = try answers.removeFirst().get()
      buffer.copyBytes(from: bytes)
      return bytes.count
    }
    guard let socket else { throw TransportFault(.receive, errno: EBADF) }
    return try socket.receive(into: buffer)
  }

  /// Of the batch as a whole.
  private static func refusal(_ sequence: UInt32, _ errno: Int32) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 36)
    bytes.withUnsafeMutableBytes {
      $0.storeBytes(of: 36, as: UInt32.self)
      $0.storeBytes(of: UInt16(NLMSG_ERROR), toByteOffset: 4, as: UInt16.self)
      $0.storeBytes(of: 0x100, toByteOffset: 6, as: UInt16.self)
      $0.storeBytes(of: sequence, toByteOffset: 8, as: UInt32.self)
      $0.storeBytes(of: -errno, toByteOffset: 16, as: Int32.self)
    }
    return bytes
  }
}
