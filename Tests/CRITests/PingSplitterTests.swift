import CRI
import NIOCore
import Testing

@Suite struct PingSplitterTests {
  // Frames as on the wire: length (3), type, flags, stream (4), payload.
  static let settings: [UInt8] = [0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 100]
  static let ping: [UInt8] = [0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]
  static let pingAck: [UInt8] = [0, 0, 8, 6, 1, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]
  /// A DATA frame whose payload looks like a PING.
  static let data: [UInt8] = [0, 0, 17, 0, 1, 0, 0, 0, 1] + ping
  static let opaque: UInt64 = 0x0102_0304_0506_0708

  private func split(_ bytes: [UInt8], every chunk: Int) -> (passed: [UInt8], pings: [UInt64]) {
    var splitter = PingSplitter()
    var passed: [UInt8] = []
    var pings: [UInt64] = []
    for start in stride(from: 0, to: bytes.count, by: chunk) {
      for piece in splitter.split(ByteBuffer(bytes: bytes[start..<min(start + chunk, bytes.count)])) {
        switch piece {
        case .pass(let buffer): passed += buffer.readableBytesView
        case .ping(let opaque): pings.append(opaque)
        }
      }
    }
    return (passed, pings)
  }

  @Test(arguments: 1...60)
  func pingsAreTakenOutHoweverTheStreamIsCut(chunk: Int) {
    let stream = Self.settings + Self.ping + Self.data + Self.pingAck + Self.ping + Self.ping + Self.settings
    let (passed, pings) = split(stream, every: chunk)
    #expect(passed == Self.settings + Self.data + Self.pingAck + Self.settings)
    #expect(pings == [Self.opaque, Self.opaque, Self.opaque])
  }

  @Test func aPingOfWrongLengthIsLeftToTheHTTP2Layer() {
    let bad: [UInt8] = [0, 0, 4, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4]
    let (passed, pings) = split(bad, every: 100)
    #expect(passed == bad)
    #expect(pings.isEmpty)
  }

  @Test func whatIsNoHTTP2PassesToo() {
    let rubbish = [UInt8]("HTTP/1.1 400 Bad Request\r\n\r\n".utf8)
    #expect(split(rubbish, every: 1000).passed == rubbish)
  }

  @Test func theAnswerCarriesTheSameBytesAndTheFlag() {
    #expect([UInt8](PingSplitter.acknowledgement(Self.opaque).readableBytesView) == Self.pingAck)
  }
}
