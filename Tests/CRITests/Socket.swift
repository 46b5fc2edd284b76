import CRI
import CRITesting
import Glibc
import Logging

/// A client, and a fresh path for a server to listen on.
struct Socket {
  let path: String
  let client: CRIClient

  init(deadlines: CRIDeadlines = CRIDeadlines()) throws {
    path = "/tmp/swiftlet-cri-\(getpid())-\(UInt32.random(in: .min ... .max)).sock"
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    client = try CRIClient(runtimeEndpoint: "unix://" + path, deadlines: deadlines, logger: logger)
  }

  func remove() {
    client.close()
    unlink(path)
  }

  /// Serves a runtime for the length of the body.
  static func serving<T>(
    _ runtime: FakeRuntime = FakeRuntime(), deadlines: CRIDeadlines = CRIDeadlines(), endsLateCalls: Bool = true,
    _ body: (CRIClient, FakeRuntime) async throws -> T
  ) async throws -> T {
    let socket = try Socket(deadlines: deadlines)
    let server = try await FakeCRIServer.start(path: socket.path, runtime: runtime, endsLateCalls: endsLateCalls)
    let result: Result<T, any Error>
    do { result = .success(try await body(socket.client, runtime)) } catch { result = .failure(error) }
    socket.client.close()
    await server.kill()
    unlink(socket.path)
    return try result.get()
  }
}

/// The error a call ends with; nil if it succeeds.
func failure<T>(_ call: () async throws(CRIError) -> T) async -> CRIError? {
  do {
    _ = try await call()
    return nil
  } catch {
    return error
  }
}
