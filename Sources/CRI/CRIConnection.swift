import Logging
import NIOCore
import NIOHTTP2
import NIOPosix
import Synchronization

/// The one HTTP/2 connection to an endpoint, made by the first call that needs it and again after it was lost.
///
/// There is no back-off and nothing runs in the background: where nobody listens, connecting to a unix socket fails at
/// once, so each call finds out for itself, and the first call after the runtime came back succeeds. An idle connection
/// has no timers and sends no pings; the kernel tells when the peer closes.
///
/// The actor runs on its event loop's thread, where the channel and its handlers live, so it uses them directly, and a
/// call wakes no third thread.
actor CRIConnection {
  /// How a call ended; `UnaryCallHandler.Outcome` and the ways a caller gives up.
  enum Outcome {
    case ended(UnaryCallHandler.Outcome)
    case deadline
    case cancelled
    case cannotConnect(any Error)
    case closed
  }

  /// A connection that was made.
  private struct Link: Sendable {
    let channel: any Channel
    let calls: NIOLoopBound<UnaryCallHandler>
  }

  private enum State {
    case idle
    case connecting(Task<Link, any Error>)
    case connected(Link)
  }

  private struct Running {
    let link: Link
    /// Nil while it is being opened.
    var stream: HTTP2StreamID?
    var timer: Scheduled<Void>?
    let continuation: CheckedContinuation<Outcome, Never>
  }

  nonisolated let endpoint: CRIEndpoint
  /// To be preferred by tasks that call, see there.
  nonisolated let taskExecutor: EventLoopTaskExecutor
  private nonisolated let eventLoop: any EventLoop
  private let logger: Logger
  private nonisolated let isClosed = Atomic(false)
  private var state = State.idle
  /// Calls that wait for their end, by a number of their own.
  private var running: [UInt64: Running] = [:]
  private var lastNumber: UInt64 = 0

  nonisolated var unownedExecutor: UnownedSerialExecutor { eventLoop.executor.asUnownedSerialExecutor() }

  init(endpoint: CRIEndpoint, eventLoop: any EventLoop, logger: Logger) {
    self.endpoint = endpoint
    self.eventLoop = eventLoop
    taskExecutor = EventLoopTaskExecutor(eventLoop)
    self.logger = logger
  }

  deinit {
    if case .connected(let link) = state { link.channel.close(promise: nil) }
  }

  /// Closes the socket: calls under way fail, and so do all later ones. From any thread.
  nonisolated func close() {
    isClosed.store(true, ordering: .sequentiallyConsistent)
    Task { await self.disconnect() }
  }

  private func disconnect() {
    if case .connected(let link) = state { link.channel.close(promise: nil) }
    state = .idle
  }

  // MARK: Calls

  /// Makes one unary call.
  /// - Parameters:
  ///   - path: `/package.Service/Method`.
  ///   - timeout: what the peer is told, in the wire's form.
  ///   - deadline: when to give up here; nil for never.
  func call(path: String, message: ByteBuffer, timeout: String?, deadline: NIODeadline?) async -> Outcome {
    // A connection that was there before may be on its way out (the runtime restarts). If the peer has not taken the
    // request, one new connection is tried; a new connection that fails, fails the call.
    while true {
      let (link, isFresh): (Link, Bool)
      do {
        (link, isFresh) = try await connected()
      } catch {
        return isClosed.load(ordering: .sequentiallyConsistent) ? .closed : .cannotConnect(error)
      }
      if isClosed.load(ordering: .sequentiallyConsistent) { return .closed }
      let outcome = await attempt(on: link, path: path, message: message, timeout: timeout, deadline: deadline)
      guard case .ended(.notTaken) = outcome, !isFresh else { return outcome }
      drop(link)
    }
  }

  private func attempt(
    on link: Link, path: String, message: ByteBuffer, timeout: String?, deadline: NIODeadline?
  ) async -> Outcome {
    lastNumber += 1
    let number = lastNumber
    return await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        if Task.isCancelled { return continuation.resume(returning: .cancelled) }
        // First, because the end may come while the request is being written.
        running[number] = Running(link: link, continuation: continuation)
        let stream = link.calls.value.start(path: path, timeout: timeout, message: message) { outcome in
          self.assumeIsolated { $0.end(number, .ended(outcome)) }
        }
        guard let stream else { return end(number, .ended(.notTaken("the runtime closed the connection"))) }
        running[number]?.stream = stream
        guard let deadline, running[number] != nil else { return }
        running[number]?.timer = eventLoop.scheduleTask(deadline: deadline) {
          self.assumeIsolated { $0.giveUp(number, .deadline) }
        }
      }
    } onCancel: {
      Task { await self.giveUp(number, .cancelled) }
    }
  }

  private func giveUp(_ number: UInt64, _ outcome: Outcome) {
    guard let call = running[number] else { return }
    if let stream = call.stream { call.link.calls.value.cancel(stream) }
    end(number, outcome)
  }

  private func end(_ number: UInt64, _ outcome: Outcome) {
    guard let call = running.removeValue(forKey: number) else { return }
    call.timer?.cancel()
    call.continuation.resume(returning: outcome)
  }

  // MARK: The connection

  /// - Returns: the connection, and whether it was made just now.
  private func connected() async throws -> (Link, isFresh: Bool) {
    switch state {
    case .connected(let link) where link.channel.isActive && !link.calls.value.isDraining: return (link, false)
    case .connecting(let task): return (try await task.value, true)
    case .idle, .connected:
      let task = Task { try await connect() }
      state = .connecting(task)
      return (try await task.value, true)
    }
  }

  private func connect() async throws -> Link {
    do {
      let channel = try await ClientBootstrap(group: eventLoop)
        .channelInitializer { channel in
          channel.eventLoop.makeCompletedFuture {
            let pipeline = channel.pipeline.syncOperations
            try pipeline.addHandler(NIOHTTP2Handler(mode: .client, frameDelegate: nil, connectionConfiguration: .runtimeSocket))
            try pipeline.addHandler(UnaryCallHandler())
          }
        }
        .connect(unixDomainSocketPath: endpoint.path).get()
      let calls = try channel.pipeline.syncOperations.handler(type: UnaryCallHandler.self)
      let link = Link(channel: channel, calls: NIOLoopBound(calls, eventLoop: eventLoop))
      state = .connected(link)
      logger.debug("connected to the container runtime", metadata: ["endpoint": "\(endpoint)"])
      channel.closeFuture.whenComplete { [logger, endpoint] _ in
        logger.debug("the connection to the container runtime is closed", metadata: ["endpoint": "\(endpoint)"])
      }
      if isClosed.load(ordering: .sequentiallyConsistent) { disconnect() }
      return link
    } catch {
      state = .idle
      throw error
    }
  }

  /// Lets the calls of this connection end, and has the next call make a new one.
  private func drop(_ link: Link) {
    link.calls.value.drain()
    if case .connected(let current) = state, current.channel === link.channel { state = .idle }
  }
}

extension NIOHTTP2Handler.ConnectionConfiguration {
  /// The peer is the machine's own container runtime.
  fileprivate static var runtimeSocket: Self {
    var configuration = Self()
    configuration.initialSettings = [
      HTTP2Setting(parameter: .enablePush, value: 0),
      // Room for the largest reply at once, so that no stream ever has to ask for more.
      HTTP2Setting(parameter: .initialWindowSize, value: UnaryReply.largestMessage + 1024),
      HTTP2Setting(parameter: .maxHeaderListSize, value: 1 << 16),
    ]
    // Go's gRPC servers, containerd's and CRI-O's, measure the bandwidth to a client by a PING for nearly every request.
    // By default more than 200 in 30 seconds count as an attack and cost the connection: fifty pods that start, or a few
    // exec probes a second, would be enough.
    configuration.controlFrameRateLimit.maximumCount = 100_000
    configuration.controlFrameRateLimit.windowLength = .seconds(1)
    return configuration
  }
}
