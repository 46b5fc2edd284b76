import CRI

/// A `FakeRuntime` behind a real unix socket, for tests of the client and of restarts.
///
/// The runtime outlives the server, as containers outlive containerd: `kill` it, `start` another one on the same path.
public final class FakeCRIServer: Sendable {
  public let path: String
  public let runtime: FakeRuntime
  private let server: UnaryServer

  private init(path: String, runtime: FakeRuntime, server: UnaryServer) {
    self.path = path
    self.runtime = runtime
    self.server = server
  }

  /// Returns when the server listens. A socket left at `path` is replaced.
  /// - Parameter endsLateCalls: whether it answers a call whose deadline is over; else only the client ends it.
  public static func start(path: String, runtime: FakeRuntime, endsLateCalls: Bool = true) async throws -> FakeCRIServer {
    let server = try await UnaryServer.start(
      path: path, methods: FakeCRIRouter(runtime: runtime).methods(), endsLateCalls: endsLateCalls)
    return FakeCRIServer(path: path, runtime: runtime, server: server)
  }

  /// Closes every connection, in the middle of whatever they carry, and returns when the server and its calls are gone.
  /// The socket's file stays, as after SIGKILL.
  public func kill() async {
    await server.kill()
  }
}
