import CNetfilter
import Glibc
import NFTables
import ProxyTesting
import Testing

/// Bytes from outside are never trusted.
struct NetlinkReplyTests {
  private static func error(errno: Int32, flags: UInt16 = 0x300, attributes: [UInt8]) -> [UInt8] {
    func bytes(_ value: some FixedWidthInteger) -> [UInt8] { withUnsafeBytes(of: value) { Array($0) } }
    return bytes(UInt32(36 + attributes.count)) + bytes(UInt16(2)) + bytes(flags) + bytes(UInt32(9)) + bytes(UInt32(0)) + bytes(-errno)
      + [UInt8](repeating: 0, count: 16) + attributes
  }

  private func acknowledgements(_ bytes: [UInt8]) -> (isWhole: Bool, [(errno: Int32, words: String)]) {
    var found: [(errno: Int32, words: String)] = []
    let isWhole = bytes.withUnsafeBytes { buffer in
      NetlinkReply.each(in: buffer) { if let acknowledgement = $0.acknowledgement { found.append(acknowledgement) } }
    }
    return (isWhole, found)
  }

  @Test func theKernelsWordsAreFoundBehindOtherAttributes() {
    let offset: [UInt8] = [8, 0, 2, 0, 36, 0, 0, 0]
    let words: [UInt8] = [7, 0, 1, 0] + Array("no".utf8) + [0, 0]
    let (isWhole, found) = acknowledgements(Self.error(errno: EINVAL, attributes: offset + words))
    #expect(isWhole)
    #expect(found.first?.errno == EINVAL)
    #expect(found.first?.words == "no")
  }

  @Test(arguments: [[255, 255, 1, 0, 65, 66, 67, 0], [0, 0, 1, 0, 65, 0, 0, 0], [3, 0, 1, 0], [4, 0]] as [[UInt8]])
  func attributesThatLieAboutTheirLengthHaveNoWords(_ attributes: [UInt8]) {
    let (_, found) = acknowledgements(Self.error(errno: ENOENT, attributes: attributes))
    #expect(found.first?.errno == ENOENT)
    #expect(found.first?.words == "")
  }

  @Test(
    arguments: [
      [], [1], [16, 0, 0, 0], [15, 0, 0, 0] + [UInt8](repeating: 0, count: 20), [40, 0, 0, 0] + [UInt8](repeating: 0, count: 20),
    ] as [[UInt8]])
  func whatIsNotMadeOfWholeMessagesSaysSo(_ bytes: [UInt8]) { #expect(acknowledgements(bytes).isWhole == bytes.isEmpty) }

  /// Whatever arrives, reading it ends and traps nowhere.
  @Test(arguments: 0..<20)
  func noiseIsSurvived(_ seed: Int) {
    var generator = SplitMix(state: UInt64(seed))
    for _ in 0..<2000 {
      var bytes = Self.error(errno: EBUSY, attributes: [7, 0, 1, 0, 65, 66, 0, 0])
      for _ in 0..<Int.random(in: 1...6, using: &generator) {
        bytes[Int.random(in: bytes.indices, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
      }
      let cut = bytes.prefix(Int.random(in: 0...bytes.count, using: &generator))
      #expect(acknowledgements(Array(cut)).1.count <= 1)
    }
  }
}
