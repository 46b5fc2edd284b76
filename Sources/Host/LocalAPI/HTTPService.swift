import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import ServiceLifecycle

/// What a small HTTP service answers with.
package struct HTTPAnswer: Sendable {
  var status: HTTPResponseStatus
  var contentType: String
  var body: String
  /// Header fields besides type and length.
  var fields: [(name: String, value: String)] = []

  package static func text(_ status: HTTPResponseStatus, _ body: String) -> HTTPAnswer {
    HTTPAnswer(status: status, contentType: "text/plain; charset=utf-8", body: body)
  }

  package static func json(_ body: String) -> HTTPAnswer { HTTPAnswer(status: .ok, contentType: "application/json", body: body) }
}

/// Answers requests on a unix socket or a TCP port, by a function of the path. Enough for health checks and the local socket;
/// bounded in header size and idle time by the pipeline.
package struct HTTPService: Service {
  package enum Place: Sendable, CustomStringConvertible {
    /// The socket is for root only: mode 0600 in a directory of mode 0700 when that has to be made.
    case unix(String)
    case tcp(host: String, port: Int)

    package var description: String {
      switch self {
      case .unix(let path): "unix://\(path)"
      case .tcp(let host, let port): "http://\(host.contains(":") ? "[\(host)]" : host):\(port)"
      }
    }
  }

  /// Which requests are answered.
  package enum Methods: Sendable {
    case getOnly
    /// Whatever a client says is taken for a GET, as upstream's health and metrics ports do; HEAD gets no body.
    case all
  }

  let name: String
  let place: Place
  let group: any EventLoopGroup
  let logger: Logger
  /// Whether the daemon ends when it cannot listen; else that is said, and tried again each five seconds, as kube-proxy does.
  let isEssential: Bool
  let methods: Methods
  /// Whether 0.0.0.0 and :: are every address of the machine, as for Go's listeners and so for kubelet's and kube-proxy's own ports;
  /// else each is that of its family, and both can be had of one port.
  let spansFamilies: Bool
  /// Told once, with the reason, when the first attempt to listen fails.
  let failed: (@Sendable (String) async -> Void)?
  let answer: @Sendable (_ path: String) async -> HTTPAnswer

  /// - Parameter answer: gives the answer for a path, query included; called on no particular thread, several times at once.
  package init(
    name: String, place: Place, group: any EventLoopGroup, logger: Logger, isEssential: Bool = true, methods: Methods = .getOnly,
    spansFamilies: Bool = false, failed: (@Sendable (String) async -> Void)? = nil,
    answer: @escaping @Sendable (_ path: String) async -> HTTPAnswer
  ) {
    self.name = name
    self.place = place
    self.group = group
    self.logger = logger
    self.isEssential = isEssential
    self.methods = methods
    self.spansFamilies = spansFamilies
    self.failed = failed
    self.answer = answer
  }

  package func run() async throws {
    guard let server = try await listen() else { return }
    logger.info("\(name) listens", metadata: ["at": "\(place)"])
    await withGracefulShutdownHandler {
      await withTaskCancellationHandler {
        try? await server.closeFuture.get()
      } onCancel: {
        server.close(promise: nil)
      }
    } onGracefulShutdown: {
      server.close(promise: nil)
    }
    if case .unix(let path) = place { LocalSocket.remove(path) }
  }

  /// `nil`: the daemon ends before it could.
  private func listen() async throws -> (any Channel)? {
    var isFirst = true
    while true {
      do {
        return try await bind()
      } catch {
        if isEssential { throw SettingsProblem("the \(name) cannot listen at \(place): \(error)") }
        if isFirst {
          logger.warning("the \(name) cannot listen; trying again", metadata: ["at": "\(place)", "error": "\(error)"])
          await failed?("\(error)")
        }
        isFirst = false
      }
      let rested: Void? = try? await cancelWhenGracefulShutdown { try await Task.sleep(for: .seconds(5)) }
      if rested == nil { return nil }
    }
  }

  private func bind() async throws -> any Channel {
    switch place {
    case .unix(let path):
      try LocalSocket.prepare(path)
      let channel = try await bootstrap.bind(unixDomainSocketPath: path).get()
      try LocalSocket.restrict(path)
      return channel
    case .tcp(let host, let port):
      // Without IPv6, or where somebody has one of the two already, what was asked for is tried alone.
      if spansFamilies, ["0.0.0.0", "::"].contains(host), let channel = try? await bind("::", port, ipv6Only: false) { return channel }
      return try await bind(host, port, ipv6Only: true)
    }
  }

  private func bind(_ host: String, _ port: Int, ipv6Only: Bool) async throws -> any Channel {
    let bootstrap = bootstrap
    if host.contains(":") {
      let option = ChannelOptions.Types.SocketOption(level: .ipv6, name: .ipv6_v6only)
      _ = bootstrap.serverChannelOption(option, value: ipv6Only ? 1 : 0)
    }
    return try await bootstrap.bind(host: host, port: port).get()
  }

  /// A new one each time: what is set stays set.
  private var bootstrap: ServerBootstrap {
    ServerBootstrap(group: group)
      .serverChannelOption(.backlog, value: 64)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelInitializer { [answer, methods] channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.configureHTTPServerPipeline()
          try channel.pipeline.syncOperations.addHandlers([
            // A client that says nothing for this long is cut off.
            IdleStateHandler(allTimeout: .seconds(60)), RequestHandler(methods: methods, answer: answer),
          ])
        }
      }
  }
}

/// One connection. Requests come one after the other; their bodies are ignored.
private final class RequestHandler: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart

  private let methods: HTTPService.Methods
  private let answer: @Sendable (String) async -> HTTPAnswer
  private var head: HTTPRequestHead?

  init(methods: HTTPService.Methods, answer: @escaping @Sendable (String) async -> HTTPAnswer) {
    self.methods = methods
    self.answer = answer
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head): self.head = head
    case .body: return
    case .end:
      guard let head else { return }
      self.head = nil
      respond(to: head, on: context.channel)
    }
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if event is IdleStateHandler.IdleStateEvent { context.close(promise: nil) }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

  private func respond(to head: HTTPRequestHead, on channel: any Channel) {
    Task { [answer, methods] in
      let isTaken = head.method == .GET || methods == .all
      let result = isTaken ? await answer(head.uri) : HTTPAnswer.text(.methodNotAllowed, "only GET\n")
      var headers = HTTPHeaders()
      headers.add(name: "content-type", value: result.contentType)
      for field in result.fields { headers.add(name: field.name, value: field.value) }
      headers.add(name: "content-length", value: String(result.body.utf8.count))
      if !head.isKeepAlive { headers.add(name: "connection", value: "close") }
      channel.write(
        HTTPServerResponsePart.head(HTTPResponseHead(version: head.version, status: result.status, headers: headers)), promise: nil)
      if head.method != .HEAD {
        channel.write(HTTPServerResponsePart.body(.byteBuffer(ByteBuffer(string: result.body))), promise: nil)
      }
      try? await channel.writeAndFlush(HTTPServerResponsePart.end(nil))
      if !head.isKeepAlive { channel.close(promise: nil) }
    }
  }
}
