import Glibc

/// The two packets that begin an SCTP association. They travel by raw sockets, since few kernels are built with the protocol
/// itself; netfilter and IPVS have their own idea of it.
struct SCTPPacket {
  enum Chunk: UInt8 {
    case initiate = 1
    case initiateAcknowledge = 2
  }

  var sourcePort: UInt16
  var port: UInt16
  /// The tag the other side asked for; none in the first packet.
  var verification: UInt32
  var chunk: Chunk
  var tag: UInt32
  /// Travels in a parameter the protocol has no meaning for.
  var text = ""

  init(sourcePort: UInt16, port: UInt16, verification: UInt32 = 0, chunk: Chunk, tag: UInt32, text: String = "") {
    self.sourcePort = sourcePort
    self.port = port
    self.verification = verification
    self.chunk = chunk
    self.tag = tag
    self.text = text
  }

  /// nil: something else.
  init?(_ bytes: some Collection<UInt8>) {
    let bytes = Array(bytes)
    guard bytes.count >= 32, let chunk = Chunk(rawValue: bytes[12]) else { return nil }
    func word(_ offset: Int) -> UInt32 { bytes[offset..<offset + 4].reduce(0) { $0 << 8 | UInt32($1) } }
    self.init(
      sourcePort: UInt16(word(0) >> 16), port: UInt16(word(0) & 0xffff), verification: word(4), chunk: chunk, tag: word(16),
      text: String(decoding: bytes.dropFirst(36).prefix { $0 != 0 }, as: UTF8.self))
  }

  var bytes: [UInt8] {
    var padded = Array(text.utf8)
    while padded.count % 4 != 0 { padded.append(0) }
    let parameter = padded.isEmpty ? [] : [0x80, 0x77] + Self.big(UInt16(padded.count + 4)) + padded
    let body: [UInt8] = Self.big(tag) + [0, 0, 0xff, 0xff, 0, 10, 0, 10, 0, 0, 0, 1] + parameter
    var packet = Self.big(sourcePort) + Self.big(port) + Self.big(verification) + [0, 0, 0, 0]
    packet += [chunk.rawValue, 0] + Self.big(UInt16(body.count + 4)) + body
    let sum = Self.checksum(packet)
    // The one number of the packet that is little-endian (RFC 9260, appendix A).
    for place in 0..<4 { packet[8 + place] = UInt8(truncatingIfNeeded: sum >> (8 * UInt32(place))) }
    return packet
  }

  private static func big(_ number: some FixedWidthInteger) -> [UInt8] { withUnsafeBytes(of: number.bigEndian) { Array($0) } }

  /// CRC32c.
  private static func checksum(_ bytes: [UInt8]) -> UInt32 {
    var sum: UInt32 = ~0
    for byte in bytes {
      sum ^= UInt32(byte)
      for _ in 0..<8 { sum = sum >> 1 ^ (sum & 1 == 1 ? 0x82f6_3b78 : 0) }
    }
    return ~sum
  }
}
