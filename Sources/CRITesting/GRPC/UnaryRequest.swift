import CRI
import NIOCore
import NIOHPACK

/// A unary gRPC request as it arrives: headers, then one message in any number of pieces.
///
/// A value with no I/O, the counterpart of the client's `UnaryReply`. Transitions: `waiting` → `open` (headers) → `done`
/// (the end of the stream, or a refusal from either). It refuses with the codes of gRPC's own list, and where that is
/// silent with those of Go's server, which real runtimes are made with.
package struct UnaryRequest {
  package enum Step: Equatable {
    /// The headers are good; the time the caller gives the call, if it says so.
    case opened(timeout: TimeAmount?)
    /// - Parameter path: `/package.Service/Method`
    case complete(path: String, message: ByteBuffer)
    case refused(GRPCStatus)
  }

  private enum State {
    case waiting
    case open(path: String, encoding: String)
    case done
  }

  /// The flag and the length of the message.
  private struct Prefix {
    let flag: UInt8
    let length: Int
  }

  private var state = State.waiting
  private var body = ByteBuffer()

  package init() {}

  /// - Returns: nil if there is nothing to do yet.
  package mutating func receive(headers: HPACKHeaders, endsStream: Bool) -> Step? {
    switch state {
    case .done: return nil
    // Trailers: gRPC has none in this direction, HTTP allows them.
    case .open(let path, _): return endsStream ? finish(path: path) : nil
    case .waiting:
      if let status = Self.refusal(of: headers) { return refuse(status) }
      let timeout = headers.first(name: "grpc-timeout")
      let amount = timeout.flatMap { TimeAmount(grpcTimeout: $0) }
      if let timeout, amount == nil {
        return refuse(GRPCStatus(code: .internalError, message: "malformed grpc-timeout \"\(timeout)\"", httpStatus: 400))
      }
      let path = headers.first(name: ":path") ?? ""
      state = .open(path: path, encoding: headers.first(name: "grpc-encoding") ?? "identity")
      return endsStream ? finish(path: path) : .opened(timeout: amount)
    }
  }

  /// - Returns: nil if more is to come.
  package mutating func receive(data: ByteBuffer, endsStream: Bool) -> Step? {
    guard case .open(let path, let encoding) = state else { return nil }
    var data = data
    body.writeBuffer(&data)
    if let prefix, let status = refusal(of: prefix, encoding: encoding) { return refuse(status) }
    return endsStream ? finish(path: path) : nil
  }

  private mutating func finish(path: String) -> Step {
    guard body.readableBytes > 0 else { return refuse(GRPCStatus(code: .unimplemented, message: "the call has no message")) }
    guard let prefix, prefix.length == body.readableBytes - UnaryReply.prefixLength else {
      return refuse(GRPCStatus(code: .internalError, message: "the request's message ends too soon"))
    }
    state = .done
    body.moveReaderIndex(forwardBy: UnaryReply.prefixLength)
    return .complete(path: path, message: body)
  }

  private mutating func refuse(_ status: GRPCStatus) -> Step {
    state = .done
    body = ByteBuffer()
    return .refused(status)
  }

  private var prefix: Prefix? {
    guard let flag = body.getInteger(at: body.readerIndex, as: UInt8.self),
      let length = body.getInteger(at: body.readerIndex + 1, as: UInt32.self)
    else { return nil }
    return Prefix(flag: flag, length: Int(length))
  }

  private func refusal(of prefix: Prefix, encoding: String) -> GRPCStatus? {
    if prefix.flag != 0 {
      return encoding == "identity"
        ? GRPCStatus(code: .internalError, message: "the message is flagged as compressed, but no encoding is named")
        : GRPCStatus(code: .unimplemented, message: "grpc-encoding \"\(encoding)\" is not supported")
    }
    if prefix.length > UnaryReply.largestMessage {
      return GRPCStatus(code: .resourceExhausted, message: "the request has \(prefix.length) bytes, more than are taken")
    }
    if body.readableBytes > UnaryReply.prefixLength + prefix.length {
      return GRPCStatus(code: .unimplemented, message: "a unary call has more than one message")
    }
    return nil
  }

  /// A peer that speaks HTTP but not gRPC.
  private static func refusal(of headers: HPACKHeaders) -> GRPCStatus? {
    let method = headers.first(name: ":method") ?? "none"
    guard method == "POST" else {
      return GRPCStatus(code: .internalError, message: "method \(method) is not gRPC's", httpStatus: 405)
    }
    let type = headers.first(name: "content-type") ?? "none"
    guard type.hasPrefix("application/grpc") else {
      return GRPCStatus(code: .invalidArgument, message: "content type \(type) is not gRPC's", httpStatus: 415)
    }
    return nil
  }
}
