import CRI
import NIOCore
import SwiftProtobuf

/// One method of a server: message in, message out, as bytes on the outside and typed on the inside.
struct UnaryMethod: Sendable {
  private let body: @Sendable (ByteBuffer) async throws(GRPCStatus) -> ByteBuffer

  init<Request: Message, Reply: Message>(_ body: @escaping @Sendable (Request) async throws(CRIError) -> Reply) {
    self.body = { (message: ByteBuffer) async throws(GRPCStatus) -> ByteBuffer in
      let request: Request
      do {
        request = try Request(serializedBytes: [UInt8](buffer: message))
      } catch {
        throw GRPCStatus(code: .internalError, message: "the request cannot be decoded: \(error)")
      }
      let reply: Reply
      do throws(CRIError) {
        reply = try await body(request)
      } catch {
        throw GRPCStatus(error)
      }
      do {
        return UnaryReply.framed(try reply.serializedBytes())
      } catch {
        throw GRPCStatus(code: .internalError, message: "the reply cannot be encoded: \(error)")
      }
    }
  }

  /// - Parameter message: without its prefix.
  /// - Returns: the reply with its prefix.
  func answer(_ message: ByteBuffer) async throws(GRPCStatus) -> ByteBuffer {
    try await body(message)
  }
}
