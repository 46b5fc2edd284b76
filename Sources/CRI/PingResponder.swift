import NIOCore

/// Answers HTTP/2 PING frames below the HTTP/2 layer, which never sees them.
///
/// Go's gRPC servers, containerd's and CRI-O's, measure the bandwidth to a client by a PING for nearly every request. The
/// HTTP/2 layer takes more than 200 PINGs in 30 seconds for an attack and closes the connection, and the gRPC transport
/// above it offers no way to set that limit; 50 pods that start, or a few exec probes a second, would be enough. The
/// peer is the machine's own container runtime, so nothing is lost by trusting its PINGs; and answering here is cheaper.
///
/// Bound to its channel's event loop, like every channel handler.
final class PingResponder: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private var splitter = PingSplitter()
  private var hasAnswered = false

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    for piece in splitter.split(unwrapInboundIn(data)) {
      switch piece {
      case .pass(let bytes): context.fireChannelRead(wrapInboundOut(bytes))
      case .ping(let opaque):
        context.write(wrapOutboundOut(PingSplitter.acknowledgement(opaque)), promise: nil)
        hasAnswered = true
      }
    }
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    if hasAnswered {
      hasAnswered = false
      context.flush()
    }
    context.fireChannelReadComplete()
  }
}

/// Finds the PINGs that want an answer in a stream of HTTP/2 frames, however the stream is cut into reads.
package struct PingSplitter {
  package enum Piece: Equatable {
    case pass(ByteBuffer)
    /// The eight bytes to send back.
    case ping(UInt64)
  }

  private static let headerLength = 9
  private static let pingLength = 8
  private static let pingType: UInt8 = 0x6
  private static let acknowledged: UInt8 = 0x1

  /// Bytes of the current frame that are still to come, and pass.
  private var remaining = 0
  /// The beginning of a frame that cannot be told yet: fewer bytes than a header, or than a PING.
  private var held = ByteBuffer()

  package init() {}

  package mutating func split(_ read: ByteBuffer) -> [Piece] {
    var pieces: [Piece] = []
    var buffer = read
    if held.readableBytes > 0 {
      held.writeImmutableBuffer(read)
      buffer = held
      held = ByteBuffer()
    }
    var start = buffer.readerIndex
    var index = start
    func pass(upTo end: Int) {
      if end > start, let slice = buffer.getSlice(at: start, length: end - start) { pieces.append(.pass(slice)) }
    }
    while index < buffer.writerIndex {
      let available = buffer.writerIndex - index
      if remaining > 0 {
        let passing = min(remaining, available)
        remaining -= passing
        index += passing
        continue
      }
      guard available >= Self.headerLength, let header = Header(buffer, at: index) else { break }
      if header.type == Self.pingType, header.flags & Self.acknowledged == 0, header.length == Self.pingLength {
        guard let opaque = buffer.getInteger(at: index + Self.headerLength, as: UInt64.self) else { break }
        pass(upTo: index)
        pieces.append(.ping(opaque))
        index += Self.headerLength + Self.pingLength
        start = index
      } else {
        remaining = Self.headerLength + header.length
      }
    }
    pass(upTo: index)
    if index < buffer.writerIndex { held = buffer.getSlice(at: index, length: buffer.writerIndex - index) ?? ByteBuffer() }
    return pieces
  }

  package static func acknowledgement(_ opaque: UInt64) -> ByteBuffer {
    var frame = ByteBuffer()
    frame.writeBytes([0, 0, UInt8(pingLength), pingType, acknowledged, 0, 0, 0, 0])
    frame.writeInteger(opaque)
    return frame
  }

  private struct Header {
    let length: Int
    let type: UInt8
    let flags: UInt8

    init?(_ buffer: ByteBuffer, at index: Int) {
      guard let word: UInt32 = buffer.getInteger(at: index), let flags: UInt8 = buffer.getInteger(at: index + 4) else { return nil }
      length = Int(word >> 8)
      type = UInt8(truncatingIfNeeded: word)
      self.flags = flags
    }
  }
}
