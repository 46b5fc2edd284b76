import NIOCore
import NIOHTTP2

/// Closes a connection whose peer breaks HTTP/2's rules; the HTTP/2 handler has told it why by then.
final class ConnectionFaultHandler: ChannelInboundHandler {
  typealias InboundIn = HTTP2Frame

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    // What is wrong with one stream ends that one only.
    if error is NIOHTTP2Errors.StreamError { return }
    context.close(promise: nil)
  }
}
