import CRI
import NIOCore
import NIOHPACK
import Testing

@Suite struct UnaryReplyTests {
  static let headers: HPACKHeaders = [":status": "200", "content-type": "application/grpc"]
  static let message: [UInt8] = [0, 0, 0, 0, 3, 1, 2, 3]

  /// Feeds a whole answer, the message cut into pieces, and returns its end.
  private func end(_ body: [UInt8], trailers: HPACKHeaders, every chunk: Int = 1000) -> UnaryReply.End? {
    var reply = UnaryReply()
    if let end = reply.receive(headers: Self.headers, endsStream: false) { return end }
    for start in stride(from: 0, to: body.count, by: chunk) {
      let piece = ByteBuffer(bytes: body[start..<min(start + chunk, body.count)])
      if let end = reply.receive(data: piece, endsStream: false) { return end }
    }
    return reply.receive(headers: trailers, endsStream: true)
  }

  @Test(arguments: 1...8)
  func aMessageArrivesHoweverItIsCut(chunk: Int) {
    #expect(end(Self.message, trailers: ["grpc-status": "0"], every: chunk) == .message(ByteBuffer(bytes: [1, 2, 3])))
  }

  @Test func anEmptyMessageIsAMessage() {
    #expect(end([0, 0, 0, 0, 0], trailers: ["grpc-status": "0"]) == .message(ByteBuffer()))
  }

  @Test func anErrorMayComeWithTrailersOnly() {
    var reply = UnaryReply()
    let headers: HPACKHeaders = [
      ":status": "200", "content-type": "application/grpc", "grpc-status": "5",
      "grpc-message": "no such container: %22a%22 %C3%BC",
    ]
    #expect(reply.receive(headers: headers, endsStream: true) == .status(.notFound, "no such container: \"a\" ü"))
  }

  @Test func anErrorAfterAMessageIsAnError() {
    #expect(end(Self.message, trailers: ["grpc-status": "13", "grpc-message": "late"]) == .status(.internalError, "late"))
  }

  @Test(
    arguments: [
      ([], "the runtime sent no reply"),
      ([0, 0, 0], "the runtime sent no reply"),
      ([0, 0, 0, 0, 4, 1], "the runtime announced 4 bytes and sent 1"),
      ([0, 0, 0, 0, 1, 1, 2], "the runtime announced 1 bytes and sent 2"),
      ([1, 0, 0, 0, 1, 1], "the runtime's reply is compressed, which was not asked for"),
    ] as [([UInt8], String)])
  func aBrokenMessageIsAnError(body: [UInt8], message: String) {
    #expect(end(body, trailers: ["grpc-status": "0"]) == .status(.internalError, message))
  }

  @Test func aPeerThatIsNoGRPCServerIsRefused() {
    var reply = UnaryReply()
    #expect(reply.receive(headers: [":status": "502"], endsStream: false) == .status(.unavailable, "HTTP status 502"))
    let web: HPACKHeaders = [":status": "200", "content-type": "text/html"]
    #expect(reply.receive(headers: web, endsStream: false) == .status(.unknown, "content type text/html is not gRPC's"))
    #expect(end(Self.message, trailers: [:]) == .status(.unknown, "the runtime sent no gRPC status"))
  }

  @Test func whatIsOutOfOrderIsRefused() {
    var reply = UnaryReply()
    #expect(
      reply.receive(data: ByteBuffer(bytes: Self.message), endsStream: false)
        == .status(.internalError, "the runtime sent a message before its headers"))
    #expect(reply.receive(headers: Self.headers, endsStream: false) == nil)
    #expect(reply.receive(headers: Self.headers, endsStream: false) == .status(.internalError, "the runtime sent headers twice"))
    #expect(
      reply.receive(data: ByteBuffer(bytes: Self.message), endsStream: true)
        == .status(.internalError, "the runtime ended the reply without a status"))
  }

  @Test func aReplyBeyondTheLimitIsRefused() {
    var reply = UnaryReply()
    #expect(reply.receive(headers: Self.headers, endsStream: false) == nil)
    let full = ByteBuffer(repeating: 0, count: UnaryReply.largestMessage + 5)
    #expect(reply.receive(data: full, endsStream: false) == nil)
    #expect(
      reply.receive(data: ByteBuffer(bytes: [0]), endsStream: false)
        == .status(.resourceExhausted, "the runtime's reply is larger than 16 MiB"))
  }

  @Test(arguments: [("100%", "100%"), ("%zz%4", "%zz%4"), ("%e2%82%AC", "€"), ("", "")])
  func aMessageThatIsNotWellFormedIsTakenAsItIs(text: String, decoded: String) {
    #expect(UnaryReply.decoded(text) == decoded)
  }

  @Test func theRequestIsFramed() {
    #expect([UInt8](UnaryReply.framed([1, 2, 3]).readableBytesView) == Self.message)
  }
}
