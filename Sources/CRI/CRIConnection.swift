import GRPCCore
import GRPCNIOTransportCore
import Logging
import NIOCore
import NIOPosix
import Synchronization

/// The one HTTP/2 connection to an endpoint, made by the first call that needs it and again after it was lost.
///
/// There is no back-off and nothing runs in the background: where nobody listens, connecting to a unix socket fails at
/// once, so each call finds out for itself, and the first call after the runtime came back succeeds. An idle connection
/// has no timers and sends no pings; the kernel tells when the peer closes.
final class CRIConnection: Sendable {
  typealias Transport = HTTP2ClientTransport.WrappedChannel

  private enum State {
    case idle
    case connecting(Task<Transport, any Error>)
    /// The task serves the connection; cancelling it closes the socket at once.
    case connected(Transport, Task<Void, Never>)
    /// `close()` was called; stays so.
    case closed
  }

  /// What a call gets: `isFresh` says that the call itself (or one beside it) had the connection made.
  struct Lease {
    let transport: Transport
    let isFresh: Bool
  }

  struct Closed: Error {}

  let endpoint: CRIEndpoint
  let executor: EventLoopTaskExecutor
  private let logger: Logger
  private let state = Mutex(State.idle)

  init(endpoint: CRIEndpoint, executor: EventLoopTaskExecutor, logger: Logger) {
    self.endpoint = endpoint
    self.executor = executor
    self.logger = logger
  }

  /// The connection, made if there is none. Cancelling the caller does not stop others who wait for the same connection.
  func lease() async throws -> Lease {
    let connecting: Task<Transport, any Error>
    switch state.withLock({ decide(&$0) }) {
    case .idle, .closed: throw Closed()
    case .connected(let transport, _): return Lease(transport: transport, isFresh: false)
    case .connecting(let task): connecting = task
    }
    return Lease(transport: try await connecting.value, isFresh: true)
  }

  private func decide(_ state: inout State) -> State {
    if case .idle = state {
      state = .connecting(Task(executorPreference: executor) { try await self.connect() })
    }
    return state
  }

  private func connect() async throws -> Transport {
    do {
      let transport = try await Transport.wrapping(config: .forRuntimeSocket) { [path = endpoint.path, loop = executor.eventLoop] configure in
        try await ClientBootstrap(group: loop).connect(unixDomainSocketPath: path) { channel in
          channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(PingResponder()) }
            .flatMap { configure(channel) }
        }
      }
      // Served in any case: a transport that nobody serves is never closed.
      let serving = Task(executorPreference: executor) { await self.serve(transport) }
      let closed = state.withLock { state in
        if case .closed = state { return true }
        state = .connected(transport, serving)
        return false
      }
      if closed {
        serving.cancel()
        throw Closed()
      }
      logger.debug("connected to the container runtime", metadata: ["endpoint": "\(endpoint)"])
      return transport
    } catch {
      state.withLock { if case .connecting = $0 { $0 = .idle } }
      throw error
    }
  }

  /// Ends with the connection, whoever closed it.
  private func serve(_ transport: Transport) async {
    do {
      try await transport.connect()
    } catch {
      logger.debug("container runtime connection failed", metadata: ["endpoint": "\(endpoint)", "error": "\(error)"])
    }
    if drop(transport) {
      logger.notice("container runtime closed the connection", metadata: ["endpoint": "\(endpoint)"])
    }
  }

  /// No new calls on this transport; those under way may end. The next lease makes a new connection.
  /// - Returns: whether it was the current one.
  @discardableResult
  func drop(_ transport: Transport) -> Bool {
    let dropped = state.withLock { state in
      guard case .connected(let current, _) = state, current === transport else { return false }
      state = .idle
      return true
    }
    if dropped { transport.beginGracefulShutdown() }
    return dropped
  }

  /// Closes the socket: calls under way fail, and so do all later ones.
  func close() {
    let last = state.withLock { state in
      defer { state = .closed }
      return state
    }
    switch last {
    case .idle, .closed: break
    case .connecting(let task): task.cancel()
    case .connected(_, let serving): serving.cancel()
    }
  }
}

extension HTTP2ClientTransport.WrappedChannel.Config {
  /// Calls over a local socket: small and few, so nothing is delayed to be sent together, and no keepalive.
  fileprivate static var forRuntimeSocket: Self {
    .defaults {
      $0.connection.maxIdleTime = nil
      $0.connection.keepalive = nil
      $0.connection.flushCoalescing = nil
      // What Go servers expect where there is no host name.
      $0.http2.authority = "localhost"
      $0.http2.targetWindowSize = 1 << 20
    }
  }
}
