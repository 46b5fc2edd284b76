import ArgumentParser
import KubeModel
import NIOCore
import NIOHTTP1
import NIOPosix

/// Asks the daemon over its local socket.
package struct LocalClient {
  let socket: String

  package init(socket: String) { self.socket = socket }

  package struct Failure: Error, CustomStringConvertible {
    package var description: String
  }

  /// What the daemon says is as long as it has Services; the limits are for files of strangers.
  private var limits: YAMLLimits { YAMLLimits(maxBytes: .max) }

  /// - Returns: the answer's JSON as a tree.
  package func get(_ path: String) async throws -> TreeValue {
    let body = try await fetch(path)
    guard let document = try YAMLParser(limits: limits).documents(in: Array(body.utf8)).first?.get() else { return .null }
    return TreeValue(document.root)
  }

  private func fetch(_ path: String) async throws -> String {
    let group = MultiThreadedEventLoopGroup.singleton
    let promise = group.next().makePromise(of: String.self)
    let connection = ClientBootstrap(group: group).channelInitializer { channel in
      channel.eventLoop.makeCompletedFuture {
        try channel.pipeline.syncOperations.addHTTPClientHandlers()
        try channel.pipeline.syncOperations.addHandler(AnswerCollector(promise: promise))
      }
    }
    do {
      let channel = try await connection.connect(unixDomainSocketPath: socket).get()
      let timeout = channel.eventLoop.scheduleTask(in: .seconds(10)) {
        promise.fail(Failure(description: "the daemon did not answer within 10 s at \(socket)"))
      }
      defer { timeout.cancel() }
      var headers = HTTPHeaders()
      headers.add(name: "host", value: "localhost")
      headers.add(name: "connection", value: "close")
      channel.write(
        HTTPClientRequestPart.head(HTTPRequestHead(version: .http1_1, method: .GET, uri: path, headers: headers)), promise: nil)
      channel.writeAndFlush(HTTPClientRequestPart.end(nil), promise: nil)
      let body = try await promise.futureResult.get()
      channel.close(promise: nil)
      return body
    } catch let error as Failure {
      throw error
    } catch {
      promise.fail(error)
      throw Failure(description: "no daemon answers at \(socket) (\(error)); is `swiftlet run` up, and are you root?")
    }
  }
}

/// Gathers one answer.
private final class AnswerCollector: ChannelInboundHandler {
  typealias InboundIn = HTTPClientResponsePart

  private let promise: EventLoopPromise<String>
  private var status = HTTPResponseStatus.ok
  private var body = ByteBuffer()

  init(promise: EventLoopPromise<String>) { self.promise = promise }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head): status = head.status
    case .body(var part): body.writeBuffer(&part)
    case .end:
      let text = String(buffer: body)
      if status == .ok { promise.succeed(text) } else { promise.fail(LocalClient.Failure(description: "\(status): \(text)")) }
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    promise.fail(error)
    context.close(promise: nil)
  }

  func channelInactive(context: ChannelHandlerContext) {
    promise.fail(LocalClient.Failure(description: "the daemon closed the connection before its answer was whole"))
  }
}
