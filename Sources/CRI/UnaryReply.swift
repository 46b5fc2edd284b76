import NIOCore
import NIOHPACK

/// The answer to one unary gRPC call as it arrives: headers, one message in any number of pieces, trailers.
///
/// A value with no I/O. Transitions: `waiting` → `open` (headers) → done (trailers), or `waiting` → done (an error comes
/// with trailers only). What does not follow these is an error of the peer.
package struct UnaryReply {
  /// How a call ended, as the peer said or as the connection had it.
  package enum End: Equatable {
    case message(ByteBuffer)
    /// A gRPC status that is not OK, with the peer's words.
    case status(CRIError.Code, String)
  }

  private enum State {
    case waiting
    case open
  }

  /// A gRPC message begins with a flag (1: compressed) and its length.
  package static let prefixLength = 5
  /// The largest reply taken; kubelet's number. A list of many pods with large annotations is the case to think of.
  package static let largestMessage = 16 << 20

  private var state = State.waiting
  private var body = ByteBuffer()

  package init() {}

  /// - Returns: the end of the call, if this is it.
  package mutating func receive(headers: HPACKHeaders, endsStream: Bool) -> End? {
    if endsStream { return finish(trailers: headers) }
    guard case .waiting = state else { return .status(.internalError, "the runtime sent headers twice") }
    if let refusal = Self.refusal(headers) { return refusal }
    state = .open
    return nil
  }

  /// - Returns: the end of the call, if this is it.
  package mutating func receive(data: ByteBuffer, endsStream: Bool) -> End? {
    guard case .open = state else { return .status(.internalError, "the runtime sent a message before its headers") }
    var data = data
    body.writeBuffer(&data)
    if body.readableBytes > Self.prefixLength + Self.largestMessage {
      return .status(.resourceExhausted, "the runtime's reply is larger than \(Self.largestMessage >> 20) MiB")
    }
    return endsStream ? .status(.internalError, "the runtime ended the reply without a status") : nil
  }

  private mutating func finish(trailers: HPACKHeaders) -> End {
    if case .waiting = state, let refusal = Self.refusal(trailers) { return refusal }
    guard let code = trailers.first(name: "grpc-status").flatMap({ Int($0) }) else {
      return .status(.unknown, "the runtime sent no gRPC status")
    }
    guard code == 0 else {
      return .status(CRIError.Code(rawValue: code), Self.decoded(trailers.first(name: "grpc-message") ?? ""))
    }
    guard let flag = body.readInteger(as: UInt8.self), let length = body.readInteger(as: UInt32.self) else {
      return .status(.internalError, "the runtime sent no reply")
    }
    guard flag == 0 else { return .status(.internalError, "the runtime's reply is compressed, which was not asked for") }
    guard length == body.readableBytes else {
      return .status(.internalError, "the runtime announced \(length) bytes and sent \(body.readableBytes)")
    }
    return .message(body)
  }

  /// A peer that speaks HTTP but not gRPC, such as a proxy or a web server.
  private static func refusal(_ headers: HPACKHeaders) -> End? {
    let status = headers.first(name: ":status") ?? "none"
    guard status == "200" else { return .status(.unavailable, "HTTP status \(status)") }
    let type = headers.first(name: "content-type") ?? "none"
    guard type.hasPrefix("application/grpc") else { return .status(.unknown, "content type \(type) is not gRPC's") }
    return nil
  }

  /// `grpc-message` is percent-encoded UTF-8; what is not well-formed is taken as it is.
  package static func decoded(_ text: String) -> String {
    let bytes = [UInt8](text.utf8)
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count)
    var index = 0
    while index < bytes.count {
      if bytes[index] == UInt8(ascii: "%"), index + 2 < bytes.count, let value = UInt8(text: bytes[index + 1], bytes[index + 2]) {
        result.append(value)
        index += 3
      } else {
        result.append(bytes[index])
        index += 1
      }
    }
    return String(decoding: result, as: UTF8.self)
  }

  /// A message as it goes out.
  package static func framed(_ message: [UInt8]) -> ByteBuffer {
    var buffer = ByteBuffer()
    buffer.reserveCapacity(prefixLength + message.count)
    buffer.writeInteger(UInt8(0))
    buffer.writeInteger(UInt32(message.count))
    buffer.writeBytes(message)
    return buffer
  }
}

extension UInt8 {
  /// Of two hexadecimal digits.
  fileprivate init?(text high: UInt8, _ low: UInt8) {
    guard let high = Character(UnicodeScalar(high)).hexDigitValue, let low = Character(UnicodeScalar(low)).hexDigitValue else {
      return nil
    }
    self = UInt8(high << 4 | low)
  }
}
