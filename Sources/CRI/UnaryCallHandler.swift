import NIOCore
import NIOHPACK
import NIOHTTP2

/// Unary gRPC calls over one HTTP/2 connection: the last handler of the connection's channel.
///
/// A gRPC library would give each call a channel, a pipeline and two asynchronous sequences; an agent that lists its
/// containers each second for years pays for that with most of its CPU time. A unary call needs three frames out and
/// three in, so they are told apart here by stream number.
///
/// Everything here happens on the channel's event loop.
final class UnaryCallHandler: ChannelInboundHandler {
  typealias InboundIn = HTTP2Frame
  typealias OutboundOut = HTTP2Frame

  /// How a call ended.
  enum Outcome {
    case answered(UnaryReply.End)
    /// The connection ended first. The peer may have done the work.
    case lost(String)
    /// The peer has not looked at the request, so another connection may be tried.
    case notTaken(String)
  }

  private struct Call {
    var reply = UnaryReply()
    let done: (Outcome) -> Void
  }

  /// What the peer may send on the connection before we give it more.
  private static let connectionWindow = 1 << 24
  /// Every connection begins with this much.
  private static let initialWindow = 65_535

  /// What Go's servers expect where there is no host name.
  private static let authority = "localhost"

  private var calls: [HTTP2StreamID: Call] = [:]
  private var nextStream: HTTP2StreamID = 1
  private var context: ChannelHandlerContext?
  /// Bytes received that the peer has not been given back.
  private var unreturnedWindow = 0
  /// The peer said it takes no more calls, or the stream numbers are used up.
  private(set) var isDraining = false
  /// What was wrong, if the connection is closed for an error.
  private var fault: String?

  func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
    if context.channel.isActive { widenWindow(context) }
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    self.context = nil
  }

  func channelActive(context: ChannelHandlerContext) {
    widenWindow(context)
    context.fireChannelActive()
  }

  private func widenWindow(_ context: ChannelHandlerContext) {
    giveBack(Self.connectionWindow - Self.initialWindow, context)
    context.flush()
  }

  // MARK: Calls

  /// Starts a call.
  /// - Parameter done: called once, on the event loop; not at all if nil is returned.
  /// - Returns: what to cancel it by; nil if the connection takes no more calls.
  func start(path: String, timeout: String?, message: ByteBuffer, done: @escaping (Outcome) -> Void) -> HTTP2StreamID? {
    guard let context, context.channel.isActive, !isDraining else { return nil }
    let stream = nextStream
    nextStream = stream.advanced(by: 2)
    if nextStream == HTTP2StreamID.maxID { isDraining = true }
    calls[stream] = Call(done: done)
    var headers = HPACKHeaders()
    headers.reserveCapacity(8)
    headers.add(name: ":method", value: "POST")
    headers.add(name: ":scheme", value: "http")
    headers.add(name: ":path", value: path)
    headers.add(name: ":authority", value: Self.authority)
    headers.add(name: "te", value: "trailers")
    headers.add(name: "content-type", value: "application/grpc")
    if let timeout { headers.add(name: "grpc-timeout", value: timeout) }
    write(.headers(.init(headers: headers)), on: stream, context)
    write(.data(.init(data: .byteBuffer(message), endStream: true)), on: stream, context)
    context.flush()
    return stream
  }

  /// Forgets the call and tells the peer. Its `done` is not called any more.
  func cancel(_ stream: HTTP2StreamID) {
    guard calls.removeValue(forKey: stream) != nil, let context else { return }
    write(.rstStream(.cancel), on: stream, context)
    context.flush()
    closeIfDrained(context)
  }

  /// No more calls on this connection; it is closed when those under way have ended.
  func drain() {
    isDraining = true
    if let context { closeIfDrained(context) }
  }

  private func end(_ stream: HTTP2StreamID, _ outcome: Outcome, _ context: ChannelHandlerContext) {
    guard let call = calls.removeValue(forKey: stream) else { return }
    call.done(outcome)
    closeIfDrained(context)
  }

  private func closeIfDrained(_ context: ChannelHandlerContext) {
    if isDraining, calls.isEmpty { context.close(promise: nil) }
  }

  private func write(_ payload: HTTP2Frame.FramePayload, on stream: HTTP2StreamID, _ context: ChannelHandlerContext) {
    context.write(wrapOutboundOut(HTTP2Frame(streamID: stream, payload: payload)), promise: nil)
  }

  // MARK: From the peer

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let frame = unwrapInboundIn(data)
    switch frame.payload {
    case .headers(let headers):
      if let end = calls[frame.streamID]?.reply.receive(headers: headers.headers, endsStream: headers.endStream) {
        finish(frame.streamID, end, streamIsOpen: !headers.endStream, context)
      }
    case .data(let data):
      receive(data, on: frame.streamID, context)
    case .rstStream(let code):
      end(frame.streamID, code == .refusedStream ? .notTaken("\(code)") : .lost("the runtime gave the call up: \(code)"), context)
    case .goAway(let last, let code, let words):
      peerLeaves(after: last, because: code, words: words.map { String(buffer: $0) } ?? "", context)
    case .priority, .settings, .pushPromise, .ping, .windowUpdate, .alternativeService, .origin:
      // Answered by the HTTP/2 handler where they want an answer.
      break
    }
  }

  private func receive(_ data: HTTP2Frame.FramePayload.Data, on stream: HTTP2StreamID, _ context: ChannelHandlerContext) {
    guard case .byteBuffer(let bytes) = data.data else { return }
    // A stream has window enough for the largest reply from the start; only the connection's has to be given back.
    unreturnedWindow += bytes.readableBytes
    if unreturnedWindow > Self.connectionWindow / 2 {
      giveBack(unreturnedWindow, context)
      context.flush()
      unreturnedWindow = 0
    }
    if let end = calls[stream]?.reply.receive(data: bytes, endsStream: data.endStream) {
      finish(stream, end, streamIsOpen: !data.endStream, context)
    }
  }

  private func giveBack(_ bytes: Int, _ context: ChannelHandlerContext) {
    write(.windowUpdate(windowSizeIncrement: bytes), on: .rootStream, context)
  }

  private func finish(_ stream: HTTP2StreamID, _ end: UnaryReply.End, streamIsOpen: Bool, _ context: ChannelHandlerContext) {
    if streamIsOpen {
      write(.rstStream(.cancel), on: stream, context)
      context.flush()
    }
    self.end(stream, .answered(end), context)
  }

  private func peerLeaves(
    after last: HTTP2StreamID, because code: HTTP2ErrorCode, words: String, _ context: ChannelHandlerContext
  ) {
    isDraining = true
    let reason = words.isEmpty ? "the runtime closes the connection: \(code)" : "the runtime closes the connection: \(words)"
    for stream in calls.keys where stream > last { end(stream, .notTaken(reason), context) }
    if code != .noError {
      fault = reason
      context.close(promise: nil)
    } else {
      closeIfDrained(context)
    }
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if let closed = event as? StreamClosedEvent {
      let reason = closed.reason.map { "the runtime gave the call up: \($0)" } ?? "the runtime ended the call without an answer"
      end(closed.streamID, .lost(reason), context)
    }
    context.fireUserInboundEventTriggered(event)
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    if let error = error as? NIOHTTP2Errors.StreamError {
      end(error.streamID, .lost("HTTP/2 stream error: \(error.baseError)"), context)
      return
    }
    fault = fault ?? "HTTP/2 error: \(error)"
    context.close(promise: nil)
  }

  func channelInactive(context: ChannelHandlerContext) {
    isDraining = true
    let lost = calls
    calls = [:]
    for call in lost.values { call.done(.lost(fault ?? "the runtime closed the connection")) }
    context.fireChannelInactive()
  }
}
