import PluginHost
import Testing

@Suite struct ELFImageTests {
  private func good() async throws -> [UInt8] { try TemporaryDirectory.contents(of: try await Fixture.library("good").path) }

  @Test func realLibraryIsRead() async throws {
    let image = try ELFImage(bytes: try await good())
    #expect(image.machine == ELFImage.ownMachine)
    #expect(image.entries == ["swiftlet_entry_good"])
    #expect(image.runtime == nil)
  }

  @Test func runtimeTagIsReadFromTheNote() async throws {
    let bytes = try TemporaryDirectory.contents(of: try await Fixture.library("foreign_swift_note").path)
    #expect(try ELFImage(bytes: bytes).runtime == "swift-5.0")
    // A file without a section table keeps its segments.
    let stripped = bytes.replacing(40, with: 0).replacing(41, with: 0).replacing(42, with: 0).replacing(60, with: 0)
    let image = try ELFImage(bytes: stripped)
    #expect(image.runtime == "swift-5.0")
    #expect(image.entries == nil)
  }

  @Test func ownTestProgramCarriesTheTagOfThisCompiler() throws {
    #expect(PluginLoader.ownRuntime.hasPrefix("swift-6."))
  }

  @Test func everyTruncationIsAnErrorOrAnAnswer() async throws {
    let bytes = try await good()
    for count in Array(0..<300) + Array(stride(from: 300, to: bytes.count, by: 61)) {
      #expect(throws: ELFImage.Fault.self) { try ELFImage(bytes: Array(bytes.prefix(count))) }
    }
  }

  @Test func damagedBytesNeverTrap() async throws {
    let bytes = try await good()
    var random = SplitMix(state: 1)
    // Header and tables decide where the parser looks: hit them hard, the rest here and there.
    let tables = Int(bytes[40]) | Int(bytes[41]) << 8 | Int(bytes[42]) << 16
    var answers = 0
    for round in 0..<4000 {
      var copy = bytes
      for _ in 0..<Int.random(in: 1...6, using: &random) {
        let place =
          switch round % 3 {
          case 0: Int.random(in: 0..<64, using: &random)
          case 1: Int.random(in: tables..<copy.count, using: &random)
          default: Int.random(in: 0..<copy.count, using: &random)
          }
        copy[place] = [0, 1, 0x7F, 0x80, 0xFF, UInt8.random(in: 0...255, using: &random)].randomElement(using: &random) ?? 0
      }
      if (try? ELFImage(bytes: copy)) != nil { answers += 1 }
    }
    #expect(answers > 0 && answers < 4000)
  }
}

/// A small repeatable generator.
struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
