import Glibc
import NIOCore
import NIOHTTP2
import NIOPosix

/// A gRPC server of unary calls on a unix socket: HTTP/2 by prior knowledge, a channel for each stream.
final class UnaryServer: Sendable {
  private let listener: any Channel
  private let connections: OpenConnections
  private let calls: RunningCalls

  /// One thread for all servers of the process, which ends with the process.
  private static let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)

  private init(listener: any Channel, connections: OpenConnections, calls: RunningCalls) {
    self.listener = listener
    self.connections = connections
    self.calls = calls
  }

  /// Returns when the server listens, or throws what bind(2) had to say. A socket left at `path` is replaced.
  static func start(path: String, methods: MethodTable, endsLateCalls: Bool) async throws -> UnaryServer {
    unlink(path)
    let connections = OpenConnections()
    let calls = RunningCalls()
    let listener = try await ServerBootstrap(group: group)
      .serverChannelInitializer { channel in channel.eventLoop.makeCompletedFuture { try channel.keepFromChildren() } }
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          guard connections.add(channel) else { throw ChannelError.ioOnClosedChannel }
          try channel.keepFromChildren()
          try configure(channel, methods: methods, calls: calls, endsLateCalls: endsLateCalls)
        }
      }
      .bind(unixDomainSocketPath: path).get()
    return UnaryServer(listener: listener, connections: connections, calls: calls)
  }

  private static func configure(_ channel: any Channel, methods: MethodTable, calls: RunningCalls, endsLateCalls: Bool) throws {
    let pipeline = channel.pipeline.syncOperations
    _ = try pipeline.configureHTTP2Pipeline(
      mode: .server, connectionConfiguration: .testServer, streamConfiguration: .testServer
    ) { stream in
      stream.eventLoop.makeCompletedFuture {
        let handler = UnaryStreamHandler(methods: methods, calls: calls, endsLateCalls: endsLateCalls)
        try stream.pipeline.syncOperations.addHandler(handler)
      }
    }
    try pipeline.addHandler(ConnectionFaultHandler())
  }

  /// Closes the listener and every connection, in the middle of whatever they carry, and returns when they are gone and
  /// the work of every call, which is cancelled, has ended.
  func kill() async {
    await listener.hangUp()
    await connections.close()
    await calls.wait()
  }
}

extension NIOHTTP2Handler.ConnectionConfiguration {
  fileprivate static var testServer: Self {
    var configuration = Self()
    // HTTP/2's own defaults, like Go's: no limit on the calls at one time, and windows that a large message has to wait for.
    configuration.initialSettings = []
    return configuration
  }
}

extension NIOHTTP2Handler.StreamConfiguration {
  fileprivate static var testServer: Self {
    var configuration = Self()
    // A test gives up as many calls as it likes; by default more than 200 in 30 seconds cost the connection.
    configuration.streamResetFrameRateLimit.maximumCount = 100_000
    configuration.streamResetFrameRateLimit.windowLength = .seconds(1)
    return configuration
  }
}
