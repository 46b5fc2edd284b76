import CRI
import CRITesting
import NIOCore
import NIOHPACK
import Testing

/// The server's half of a call, as a value.
@Suite struct UnaryRequestTests {
  static let path = "/runtime.v1.RuntimeService/Version"
  static let headers: HPACKHeaders = [":method": "POST", ":path": "/runtime.v1.RuntimeService/Version", "content-type": "application/grpc"]
  static let message: [UInt8] = [0, 0, 0, 0, 3, 1, 2, 3]

  /// What the request comes to if its body arrives in pieces of one size, the last of which ends the stream.
  private func end(_ body: [UInt8], headers: HPACKHeaders = headers, every chunk: Int = 1 << 20) -> UnaryRequest.Step? {
    var request = UnaryRequest()
    guard case .opened = request.receive(headers: headers, endsStream: false) else { return nil }
    var index = 0
    while index < body.count {
      let piece = body[index...].prefix(chunk)
      index += piece.count
      if let step = request.receive(data: ByteBuffer(bytes: piece), endsStream: index == body.count) { return step }
    }
    return nil
  }

  private func code(_ step: UnaryRequest.Step?) -> CRIError.Code? {
    if case .refused(let status) = step { status.code } else { nil }
  }

  @Test(arguments: 1...9)
  func piecesOfAnySizeMakeTheMessage(chunk: Int) {
    #expect(end(Self.message, every: chunk) == .complete(path: Self.path, message: ByteBuffer(bytes: [1, 2, 3])))
  }

  @Test func anEmptyMessageIsAMessage() {
    #expect(end([0, 0, 0, 0, 0]) == .complete(path: Self.path, message: ByteBuffer()))
  }

  @Test func theStreamMayEndAfterTheMessage() {
    var request = UnaryRequest()
    _ = request.receive(headers: Self.headers, endsStream: false)
    #expect(request.receive(data: ByteBuffer(bytes: Self.message), endsStream: false) == nil)
    #expect(request.receive(data: ByteBuffer(), endsStream: true) == .complete(path: Self.path, message: ByteBuffer(bytes: [1, 2, 3])))
  }

  @Test(arguments: [
    // Two messages; more bytes than announced; no message.
    (message + message, CRIError.Code.unimplemented),
    ([0, 0, 0, 0, 1, 1, 2], .unimplemented),
    // Fewer bytes than announced; not even a prefix; a flag that does not exist.
    ([0, 0, 0, 0, 4, 1, 2, 3], .internalError),
    ([0, 0, 0], .internalError),
    ([2, 0, 0, 0, 0], .internalError),
    // 16 MiB and a byte.
    ([0, 1, 0, 0, 1, 0], .resourceExhausted),
  ])
  func whatIsNotOneMessageIsRefused(body: [UInt8], expected: CRIError.Code) {
    #expect(code(end(body)) == expected)
    #expect(code(end(body, every: 1)) == expected)
  }

  @Test func aCallWithoutAMessageIsRefused() {
    var request = UnaryRequest()
    #expect(code(request.receive(headers: Self.headers, endsStream: true)) == .unimplemented)
  }

  @Test func compressionIsRefusedByWhoIsToBlame() {
    var named = Self.headers
    named.add(name: "grpc-encoding", value: "gzip")
    #expect(code(end([1, 0, 0, 0, 1, 0], headers: named)) == .unimplemented)
    #expect(code(end([1, 0, 0, 0, 1, 0])) == .internalError)
    // A named encoding need not be used.
    #expect(end(Self.message, headers: named) == .complete(path: Self.path, message: ByteBuffer(bytes: [1, 2, 3])))
  }

  @Test func afterARefusalNothingCounts() {
    var request = UnaryRequest()
    _ = request.receive(headers: Self.headers, endsStream: false)
    #expect(code(request.receive(data: ByteBuffer(bytes: [2, 0, 0, 0, 0]), endsStream: false)) == .internalError)
    #expect(request.receive(data: ByteBuffer(bytes: Self.message), endsStream: true) == nil)
  }

  @Test(arguments: [(":method", "GET", 405), ("content-type", "text/html", 415), ("grpc-timeout", "soon", 400)])
  func headersThatAreNotGRPCsGetAnHTTPStatus(name: String, value: String, expected: Int) {
    var headers = Self.headers
    headers.replaceOrAdd(name: name, value: value)
    var request = UnaryRequest()
    guard case .refused(let status) = request.receive(headers: headers, endsStream: false) else {
      Issue.record("not refused")
      return
    }
    #expect(status.httpStatus == expected)
  }

  @Test(arguments: [
    ("1H", TimeAmount.hours(1)), ("2M", .minutes(2)), ("3S", .seconds(3)), ("100m", .milliseconds(100)), ("5u", .microseconds(5)),
    ("6n", .nanoseconds(6)), ("0m", .zero), ("99999999H", .hours(24 * 365)),
  ])
  func theCallersTimeIsRead(text: String, expected: TimeAmount) {
    #expect(TimeAmount(grpcTimeout: text) == expected)
    var headers = Self.headers
    headers.add(name: "grpc-timeout", value: text)
    var request = UnaryRequest()
    #expect(request.receive(headers: headers, endsStream: false) == .opened(timeout: expected))
  }

  @Test(arguments: ["", "m", "1", "1d", "-1S", "+1S", "123456789m", "1.5S", "1 S"])
  func whatIsNoTimeIsNotRead(text: String) {
    #expect(TimeAmount(grpcTimeout: text) == nil)
  }

  @Test(arguments: ["", "plain ~ words", "100%", "%41", "line\nline\ttab\0", "ünïcode 😀", "\u{7f}"])
  func aMessageIsPrintableASCIIAndReadsBackAsItWas(text: String) {
    let encoded = GRPCStatus.percentEncoded(text)
    #expect(encoded.utf8.allSatisfy { (0x20...0x7e).contains($0) })
    #expect(UnaryReply.decoded(encoded) == text)
  }
}
