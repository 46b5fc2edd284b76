import CRI
import GRPCCore
import GRPCNIOTransportCore
import GRPCNIOTransportHTTP2Posix
import Glibc
import NIOCore
import NIOPosix
import Synchronization

/// A `FakeRuntime` behind a real unix socket, for tests of the client and of restarts.
///
/// The runtime outlives the server, as containers outlive containerd: `kill` it, `start` another one on the same path.
public final class FakeCRIServer: Sendable {
  public let path: String
  public let runtime: FakeRuntime
  private let server: GRPCServer<HTTP2ServerTransport.Posix>
  private let serving: Task<Void, any Error>
  private let connections: Connections

  private static let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)

  private init(
    path: String, runtime: FakeRuntime, server: GRPCServer<HTTP2ServerTransport.Posix>, serving: Task<Void, any Error>,
    connections: Connections
  ) {
    self.path = path
    self.runtime = runtime
    self.server = server
    self.serving = serving
    self.connections = connections
  }

  /// Returns when the server listens. A socket left at `path` is replaced.
  public static func start(path: String, runtime: FakeRuntime) async throws -> FakeCRIServer {
    unlink(path)
    let connections = Connections()
    var config = HTTP2ServerTransport.Posix.Config.defaults
    config.channelDebuggingCallbacks.onAcceptTCPConnection = { connections.add($0) }
    let transport = HTTP2ServerTransport.Posix(
      address: .unixDomainSocket(path: path), transportSecurity: .plaintext, config: config, eventLoopGroup: group)
    let server = GRPCServer(transport: transport, router: FakeCRIRouter(runtime: runtime).router())
    let serving = Task { try await server.serve() }
    // Throws what bind(2) had to say, if it failed.
    _ = try await transport.listeningAddress
    return FakeCRIServer(path: path, runtime: runtime, server: server, serving: serving, connections: connections)
  }

  /// Closes every connection, in the middle of whatever they carry, and returns when the server and its socket are gone.
  public func kill() async {
    // Not by cancelling its task: a connection that is just being accepted then trips a precondition of NIO.
    await connections.close()
    server.beginGracefulShutdown()
    await connections.close()
    _ = await serving.result
  }
}

extension FakeCRIServer {
  /// The accepted connections; once closed, later ones are closed as they come.
  private final class Connections: Sendable {
    private let state = Mutex<(channels: [any Channel], isClosed: Bool)>(([], false))

    func add(_ channel: any Channel) -> EventLoopFuture<Void> {
      let isClosed = state.withLock { state in
        state.channels.append(channel)
        return state.isClosed
      }
      if isClosed { channel.close(promise: nil) }
      return channel.eventLoop.makeSucceededVoidFuture()
    }

    func close() async {
      let channels = state.withLock { state in
        state.isClosed = true
        return state.channels
      }
      for channel in channels { try? await channel.close().get() }
    }
  }
}
