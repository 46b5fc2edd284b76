import NIOCore
import NIOHPACK
import NIOHTTP2
import NIOPosix

/// One HTTP/2 stream to a server, frame by frame: for what `CRIClient` never sends, and for what it does not show.
struct HTTP2Exchange {
  enum Frame: Equatable {
    case headers(HPACKHeaders, endsStream: Bool)
    case data([UInt8], endsStream: Bool)
    case reset(HTTP2ErrorCode)
  }

  /// What came back, in its order.
  let frames: [Frame]

  /// A field of the last headers.
  subscript(name: String) -> String? {
    let blocks = frames.compactMap { if case .headers(let headers, _) = $0 { headers } else { nil } }
    return blocks.last?.first(name: name)
  }

  /// Sends all of it on a connection of its own, and returns when the stream is closed.
  init(_ payloads: [HTTP2Frame.FramePayload], to path: String) async throws {
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    let frames = loop.makePromise(of: [Frame].self)
    let channel = try await ClientBootstrap(group: loop)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          _ = try channel.pipeline.syncOperations.configureHTTP2Pipeline(
            mode: .client, connectionConfiguration: .init(), streamConfiguration: .init()
          ) { $0.eventLoop.makeSucceededVoidFuture() }
        }
      }
      .connect(unixDomainSocketPath: path).get()
    try await loop.submit {
      let http2 = try channel.pipeline.syncOperations.handler(type: NIOHTTP2Handler.self)
      try http2.syncMultiplexer().createStreamChannel(promise: nil) { stream in
        stream.eventLoop.makeCompletedFuture {
          try stream.pipeline.syncOperations.addHandler(Recorder(sending: payloads, frames: frames))
        }
      }
    }.get()
    self.frames = try await frames.futureResult.get()
    try? await channel.close().get()
  }

  /// A request as `CRIClient` would send it, in pieces of any size.
  static func request(
    _ path: String, _ body: [UInt8], every chunk: Int = .max, headers: HPACKHeaders = [:], endsStream: Bool = true
  ) -> [HTTP2Frame.FramePayload] {
    var block: HPACKHeaders = [":method": "POST", ":scheme": "http", ":path": path, ":authority": "localhost", "te": "trailers"]
    if headers.first(name: "content-type") == nil { block.add(name: "content-type", value: "application/grpc") }
    block.add(contentsOf: headers)
    let pieces = stride(from: 0, to: body.count, by: min(chunk, body.count)).map { Array(body[$0..<body.count].prefix(chunk)) }
    return [.headers(.init(headers: block))]
      + pieces.enumerated().map { index, piece in
        .data(.init(data: .byteBuffer(ByteBuffer(bytes: piece)), endStream: endsStream && index == pieces.count - 1))
      }
  }
}

extension HTTP2Exchange {
  private final class Recorder: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame.FramePayload
    typealias OutboundOut = HTTP2Frame.FramePayload

    private let sending: [HTTP2Frame.FramePayload]
    private let frames: EventLoopPromise<[Frame]>
    private var received: [Frame] = []

    init(sending: [HTTP2Frame.FramePayload], frames: EventLoopPromise<[Frame]>) {
      self.sending = sending
      self.frames = frames
    }

    func channelActive(context: ChannelHandlerContext) {
      // Each piece is a frame of its own.
      for payload in sending { context.writeAndFlush(wrapOutboundOut(payload), promise: nil) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      switch unwrapInboundIn(data) {
      case .headers(let headers): received.append(.headers(headers.headers, endsStream: headers.endStream))
      case .data(let data):
        if case .byteBuffer(let bytes) = data.data { received.append(.data([UInt8](buffer: bytes), endsStream: data.endStream)) }
      default: break
      }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
      if let error = error as? NIOHTTP2Errors.StreamClosed { received.append(.reset(error.errorCode)) }
    }

    func channelInactive(context: ChannelHandlerContext) {
      frames.succeed(received)
    }
  }
}
