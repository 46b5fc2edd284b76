import CRI
import NIOCore
import NIOHPACK
import NIOHTTP2

/// One call: the last handler of its HTTP/2 stream's channel.
///
/// The work is a task. It is cancelled when the stream ends before it, be it by the client's RST_STREAM or with the
/// connection, and when the time is over that the client gave the call; a call cancelled for that is answered as late.
///
/// Everything here but the work happens on the channel's event loop.
final class UnaryStreamHandler: ChannelInboundHandler {
  typealias InboundIn = HTTP2Frame.FramePayload
  typealias OutboundOut = HTTP2Frame.FramePayload

  private let methods: MethodTable
  private let calls: RunningCalls
  private let endsLateCalls: Bool
  private var request = UnaryRequest()
  private var context: ChannelHandlerContext?
  private var work: Task<Void, Never>?
  private var timer: Scheduled<Void>?
  private var isLate = false

  init(methods: MethodTable, calls: RunningCalls, endsLateCalls: Bool) {
    self.methods = methods
    self.calls = calls
    self.endsLateCalls = endsLateCalls
  }

  func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    self.context = nil
  }

  // MARK: From the client

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .headers(let headers):
      let step = request.receive(headers: headers.headers, endsStream: headers.endStream)
      take(step, clientIsDone: headers.endStream, context)
    case .data(let data):
      guard case .byteBuffer(let bytes) = data.data else { return }
      let step = request.receive(data: bytes, endsStream: data.endStream)
      take(step, clientIsDone: data.endStream, context)
    case .rstStream, .goAway, .priority, .settings, .pushPromise, .ping, .windowUpdate, .alternativeService, .origin:
      // A reset comes as the end of the channel; the rest is the HTTP/2 handler's.
      break
    }
  }

  private func take(_ step: UnaryRequest.Step?, clientIsDone: Bool, _ context: ChannelHandlerContext) {
    switch step {
    case nil, .opened(timeout: nil): break
    case .opened(let timeout?): if endsLateCalls { startTimer(timeout, context) }
    case .complete(let path, let message): begin(path, message, context)
    case .refused(let status):
      send(.failure(status), context)
      // RFC 9113, 8.1: so the client stops sending.
      if !clientIsDone { context.writeAndFlush(wrapOutboundOut(.rstStream(.noError)), promise: nil) }
    }
  }

  func channelInactive(context: ChannelHandlerContext) {
    timer?.cancel()
    work?.cancel()
    context.fireChannelInactive()
  }

  // MARK: The work

  private func startTimer(_ timeout: TimeAmount, _ context: ChannelHandlerContext) {
    timer = context.eventLoop.assumeIsolated().scheduleTask(in: timeout) {
      self.isLate = true
      self.work?.cancel()
    }
  }

  private func begin(_ path: String, _ message: ByteBuffer, _ context: ChannelHandlerContext) {
    let handler = NIOLoopBound(self, eventLoop: context.eventLoop)
    let task = Task { [methods, eventLoop = context.eventLoop] in
      let outcome: Result<ByteBuffer, GRPCStatus>
      do throws(GRPCStatus) {
        outcome = .success(try await methods.method(at: path).answer(message))
      } catch {
        outcome = .failure(error)
      }
      eventLoop.execute { handler.value.finish(outcome) }
    }
    if isLate { task.cancel() }
    work = task
    calls.add(task)
  }

  private func finish(_ outcome: Result<ByteBuffer, GRPCStatus>) {
    timer?.cancel()
    guard let context else { return }
    if isLate, case .failure(let status) = outcome, status.code == .cancelled {
      send(.failure(GRPCStatus(code: .deadlineExceeded, message: "the call's time is over")), context)
    } else {
      send(outcome, context)
    }
  }

  private func send(_ outcome: Result<ByteBuffer, GRPCStatus>, _ context: ChannelHandlerContext) {
    switch outcome {
    case .success(let message):
      write(.headers(.init(headers: GRPCStatus.ok.headers)), context)
      write(.data(.init(data: .byteBuffer(message))), context)
      write(.headers(.init(headers: GRPCStatus.ok.trailers, endStream: true)), context)
    case .failure(let status):
      write(.headers(.init(headers: status.trailersOnly, endStream: true)), context)
    }
    context.flush()
  }

  private func write(_ payload: HTTP2Frame.FramePayload, _ context: ChannelHandlerContext) {
    context.write(wrapOutboundOut(payload), promise: nil)
  }
}
