import Glibc
import NIOCore
import SwiftProtobuf

/// One unary call: what it is named, whom it is about, and how long it may take.
struct CRICall: Sendable {
  let connection: CRIConnection
  let service: CRIClient.Service
  /// The wire's name of the call, such as `StartContainer`.
  let method: String
  /// For errors: an id or a name.
  let object: String
  /// Nil: none.
  let deadline: Duration?

  /// Sends the request and waits for the reply.
  func send<Request: Message, Reply: Message>(
    _ request: Request, reply: Reply.Type, isolation: isolated (any Actor)? = #isolation
  ) async throws(CRIError) -> Reply {
    let message = UnaryReply.framed(try serialized(request))
    let deadline = deadline.map { NIODeadline.now() + .nanoseconds($0.nanoseconds) }
    let outcome = await withTaskExecutorPreference(connection.taskExecutor) {
      await connection.call(path: "/\(service.rawValue)/\(method)", message: message, timeout: timeoutHeader, deadline: deadline)
    }
    switch outcome {
    case .ended(.answered(.message(let bytes))): return try decoded(bytes)
    // We did not give up, so the runtime did, at the time it was told.
    case .ended(.answered(.status(.cancelled, let message))) where deadline != nil: throw failure(.deadlineExceeded, message)
    case .ended(.answered(.status(let code, let message))): throw failure(code, message)
    case .ended(.lost(let reason)), .ended(.notTaken(let reason)): throw failure(.unavailable, reason)
    case .deadline: throw failure(.deadlineExceeded, "no answer within \(self.deadline?.briefly ?? "its time")")
    case .cancelled: throw failure(.cancelled, "the call was given up")
    case .cannotConnect(let error): throw failure(.unavailable, "cannot connect: \(Self.words(of: error))")
    case .closed: throw failure(.unavailable, "the client was closed")
    }
  }

  /// The runtime gives up too, rather than working on for nobody. At most eight digits are allowed: 27 hours in ms.
  private var timeoutHeader: String? {
    self.deadline.map { "\(min(max($0.nanoseconds / 1_000_000, 1), 99_999_999))m" }
  }

  private func serialized(_ request: some Message) throws(CRIError) -> [UInt8] {
    do {
      return try request.serializedBytes()
    } catch {
      throw failure(.invalidArgument, "the request cannot be encoded: \(error)")
    }
  }

  private func decoded<Reply: Message>(_ bytes: ByteBuffer) throws(CRIError) -> Reply {
    var options = BinaryDecodingOptions()
    // A newer runtime sends fields this client has no use for; keeping them would cost memory in every object.
    options.discardUnknownFields = true
    do {
      return try Reply(serializedBytes: [UInt8](bytes.readableBytesView), options: options)
    } catch {
      throw failure(.internalError, "the runtime's reply cannot be decoded: \(error)")
    }
  }

  private func failure(_ code: CRIError.Code, _ message: String) -> CRIError {
    CRIError(operation: method, object: object, code: code, message: message, endpoint: connection.endpoint.description)
  }

  private static func words(of error: any Error) -> String {
    guard let error = error as? IOError else { return "\(error)" }
    return "\(String(cString: strerror(error.errnoCode))) (errno \(error.errnoCode))"
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
