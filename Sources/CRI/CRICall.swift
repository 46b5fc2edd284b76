import GRPCCore
import GRPCNIOTransportCore
import Glibc
import NIOCore
import SwiftProtobuf

/// One unary call: what it is named, whom it is about, and how long it may take.
struct CRICall: Sendable {
  /// The largest reply taken; kubelet's number. A list of many pods with large annotations is the case to think of.
  static let largestReply = 16 << 20

  let connection: CRIConnection
  let method: MethodDescriptor
  /// For errors: an id or a name.
  let object: String
  /// Nil: none.
  let deadline: Duration?

  /// Sends the request and waits for the reply, on the connection's event loop.
  func send<Request: Message, Reply: Message>(_ request: Request, reply: Reply.Type) async throws(CRIError) -> Reply {
    let result: Result<Reply, CRIError> = await withTaskExecutorPreference(connection.executor) {
      let work = Task(executorPreference: connection.executor) { await exchange(request, reply: reply) }
      let timer = deadline.map { deadline in
        connection.executor.eventLoop.scheduleTask(in: .nanoseconds(deadline.nanoseconds)) { work.cancel() }
      }
      defer { timer?.cancel() }
      return await withTaskCancellationHandler {
        await work.value
      } onCancel: {
        work.cancel()
      }
    }
    do {
      return try result.get()
    } catch where error.isCancelled && !Task.isCancelled {
      // Only the timer can have cancelled it, so whatever the call itself had to say is of no interest.
      throw failure(.deadlineExceeded, "no answer within \(deadline?.briefly ?? "its time")")
    }
  }

  /// As `send`, but never throws, so that it can be a task's body; `isCancelled` if the task was cancelled.
  private func exchange<Request: Message, Reply: Message>(
    _ request: Request, reply: Reply.Type
  ) async -> Result<Reply, CRIError> {
    do {
      let bytes: [UInt8] = try request.serializedBytes()
      let answer = try await exchange(bytes)
      return .success(try reply.init(serializedBytes: answer, options: .discardingUnknown))
    } catch {
      if Task.isCancelled { return .failure(failure(.cancelled, "the call was given up")) }
      return .failure(failure(for: error))
    }
  }

  private func exchange(_ request: [UInt8]) async throws -> [UInt8] {
    let lease = try await connection.lease()
    do {
      return try await attempt(request, on: lease.transport)
    } catch let error as NotSent {
      // The runtime went away since the last call, or is about to (GOAWAY). Nothing was sent, so trying again is safe.
      connection.drop(lease.transport)
      guard !lease.isFresh, !Task.isCancelled else { throw error.cause }
    }
    let second = try await connection.lease()
    do {
      return try await attempt(request, on: second.transport)
    } catch let error as NotSent {
      connection.drop(second.transport)
      throw error.cause
    }
  }

  /// No stream could be opened, so the runtime has not seen the request.
  private struct NotSent: Error {
    let cause: any Error
  }

  private func attempt(_ request: [UInt8], on transport: CRIConnection.Transport) async throws -> [UInt8] {
    var options = CallOptions.defaults
    options.maxRequestMessageBytes = Self.largestReply
    let opened: Result<[UInt8], any Error>
    do {
      opened = try await transport.withStream(descriptor: method, options: options) { stream, _ in
        // Caught in here so that an error outside means "no stream".
        do { return .success(try await converse(request, on: stream)) } catch { return .failure(error) }
      }
    } catch {
      throw NotSent(cause: error)
    }
    return try opened.get()
  }

  private typealias Stream = RPCStream<CRIConnection.Transport.Inbound, CRIConnection.Transport.Outbound>

  private func converse(_ request: [UInt8], on stream: Stream) async throws -> [UInt8] {
    var metadata: Metadata = [:]
    if let deadline {
      // The runtime gives up too, rather than working on for nobody. At most eight digits are allowed: 27 hours in ms.
      metadata.addString("\(min(max(deadline.nanoseconds / 1_000_000, 1), 99_999_999))m", forKey: "grpc-timeout")
    }
    try await stream.outbound.write(contentsOf: [.metadata(metadata), .message(GRPCNIOTransportBytes(request))])
    await stream.outbound.finish()

    var reply: [UInt8]?
    for try await part in stream.inbound {
      switch part {
      case .metadata: continue
      case .message(let bytes):
        guard reply == nil else { throw RPCError(code: .internalError, message: "the runtime sent more than one reply") }
        reply = bytes.withUnsafeBytes { [UInt8]($0) }
      case .status(let status, _):
        if let code = RPCError.Code(status.code) { throw RPCError(code: code, message: status.message) }
        guard let reply else { throw RPCError(code: .internalError, message: "the runtime sent no reply") }
        return reply
      }
    }
    throw RPCError(code: .unavailable, message: "the stream ended without a status")
  }
}

extension CRICall {
  private func failure(_ code: CRIError.Code, _ message: String) -> CRIError {
    CRIError(operation: method.method, object: object, code: code, message: message, endpoint: connection.endpoint.description)
  }

  private func failure(for error: any Error) -> CRIError {
    switch error {
    case let error as RPCError:
      // Transport faults have a cause that says more than the message ("subchannel is unavailable").
      let cause = error.cause.map { ": \($0)" } ?? ""
      return failure(CRIError.Code(rawValue: error.code.rawValue), error.message + cause)
    case let error as IOError:
      return failure(.unavailable, "cannot connect: \(String(cString: strerror(error.errnoCode))) (errno \(error.errnoCode))")
    case is CRIConnection.Closed:
      return failure(.unavailable, "the client was closed")
    case let error as ChannelError:
      return failure(.unavailable, "cannot connect: \(error)")
    case let error as BinaryDecodingError:
      return failure(.internalError, "the runtime's reply cannot be decoded: \(error)")
    default:
      return failure(.unavailable, "\(error)")
    }
  }
}

extension BinaryDecodingOptions {
  /// A newer runtime sends fields this client has no use for; keeping them would cost memory in every object.
  fileprivate static var discardingUnknown: BinaryDecodingOptions {
    var options = BinaryDecodingOptions()
    options.discardUnknownFields = true
    return options
  }
}

extension Duration {
  /// Saturates after 292 years.
  fileprivate var nanoseconds: Int64 {
    let (seconds, attoseconds) = components
    let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    return overflow ? .max : whole.addingReportingOverflow(attoseconds / 1_000_000_000).partialValue
  }
}
