import KubeModel
import Testing

@Suite struct QuantityTests {
  @Test(
    arguments: [
      ("0", 0, 0), ("1", 1, 1000), ("100m", 1, 100), ("0.5", 1, 500), (".5", 1, 500), ("5.", 5, 5000), ("1500m", 2, 1500),
      ("-100m", -1, -100), ("+2", 2, 2000), ("1k", 1000, 1_000_000), ("1Ki", 1024, 1_024_000), ("1e3", 1000, 1_000_000),
      ("1E3", 1000, 1_000_000), ("1e-3", 1, 1), ("1E", 1_000_000_000_000_000_000, Int64.max), ("1Gi", 1 << 30, 1 << 30 * 1000),
      ("1.5Gi", 1_610_612_736, 1_610_612_736_000), ("1u", 1, 1), ("1n", 1, 1), ("0.1n", 1, 1), ("64Mi", 64 << 20, 64 << 20 * 1000),
      ("0.0000000001Ei", 115_292_151, 115_292_150_461), ("007", 7, 7000),
    ] as [(String, Int64, Int64)])
  func amountsRoundAwayFromZero(text: String, value: Int64, milli: Int64) throws {
    let quantity = try #require(Quantity(text))
    #expect(quantity.value() == value)
    #expect(quantity.milliValue() == milli)
  }

  @Test(arguments: [
    "", " ", "1 ", " 1", "m", ".", "-", "1..2", "1.2.3", "1mi", "1K", "1gi", "1e", "1e+", "1e1.5", "1Zi", "0x10", "1_000", "1mm", "--1",
    "١",
  ])
  func otherTextIsNoQuantity(text: String) {
    // `1e` has no exponent and `e` alone is no suffix.
    #expect(Quantity(text) == nil)
  }

  @Test(arguments: [
    ("0", "0"), ("1000", "1k"), ("1024", "1024"), ("1024Ki", "1Mi"), ("1Gi", "1Gi"), ("0.5", "500m"), ("1500m", "1500m"), ("100m", "100m"),
    ("1e3", "1e3"), ("1.5Gi", "1536Mi"), ("0.5Ki", "512"), ("3000n", "3u"), ("-2000", "-2k"), ("12e6", "12e6"),
  ])
  func printsTheCanonicalForm(text: String, canonical: String) throws {
    #expect(try #require(Quantity(text)).description == canonical)
  }

  @Test func spellingsOfOneAmountAreEqual() throws {
    let amounts = try ["1Gi", "1073741824", "1024Mi", "1073741824000m"].map { try #require(Quantity($0)) }
    #expect(Set(amounts).count == 1)
    #expect(try #require(Quantity("100m")) < #require(Quantity("0.2")))
  }

  @Test(arguments: ["9999999999999999999", "1e100", "99999999999Ei", "1e99999999999", "16Ei"])
  func hugeAmountsAreCutAtTheLimit(text: String) throws {
    #expect(try #require(Quantity(text)).value() == Int64.max)
    #expect(try #require(Quantity("-" + text)).value() == -Int64.max)
  }

  @Test func tinyAmountsAreRoundedUpToOneNano() throws {
    #expect(try #require(Quantity("1e-100")).nanos == 1)
    #expect(try #require(Quantity("0.00000000000000000000000000000000000001")).nanos == 1)
    #expect(try #require(Quantity("1.0000000000000000000000000000000000001")).nanos == 1_000_000_001)
  }

  @Test func printedFormsReadBack() throws {
    var generator = SeededGenerator(seed: 7)
    let suffixes = ["", "n", "u", "m", "k", "M", "G", "Ki", "Mi", "Gi", "e3", "e-6"]
    for _ in 0..<2000 {
      let number = Int64.random(in: -1_000_000...1_000_000, using: &generator)
      let text = "\(number)" + (suffixes.randomElement(using: &generator) ?? "")
      let quantity = try #require(Quantity(text))
      #expect(Quantity(quantity.description) == quantity, "\(text)")
    }
  }
}
