import KubeModel
import Testing

@Suite struct ScalarValueTests {
  @Test(arguments: ["", "~", "null", "Null", "NULL"])
  func nullIsNull(text: String) { #expect(ScalarValue(plain: text) == .null) }

  @Test(arguments: ["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"])
  func theOldWordsAreTrue(text: String) { #expect(ScalarValue(plain: text) == .bool(true)) }

  @Test(arguments: ["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"])
  func theOldWordsAreFalse(text: String) { #expect(ScalarValue(plain: text) == .bool(false)) }

  @Test(arguments: [
    ("0", 0), ("-1", -1), ("+12", 12), ("0644", 420), ("0o644", 420), ("0x1F", 31), ("-0x10", -16), ("0b101", 5), ("1_000", 1000),
    ("9223372036854775807", Int64.max), ("-9223372036854775808", Int64.min), ("00", 0), ("-0", 0),
  ])
  func integersOfEveryBase(text: String, value: Int64) { #expect(ScalarValue(plain: text) == .int(value)) }

  @Test(
    arguments: [
      ("1.5", 1.5), (".5", 0.5), ("1e3", 1000), ("-2.5E-1", -0.25), ("08", 8), ("1.", 1), (".inf", .infinity), ("-.inf", -.infinity),
      ("9223372036854775808", 9_223_372_036_854_775_808),
    ] as [(String, Double)])
  func numbersWithAPoint(text: String, value: Double) { #expect(ScalarValue(plain: text) == .double(value)) }

  @Test(arguments: [
    "tRue", "nope", "yess", "1.2.3", "1:30", "2020-01-01", "0x", "0xg", "1e", "e3", "-", "+", ".", "..", "0-5", "--1", "1 2", "inf", "nan",
    "0x1p3", "abc", "1a",
  ])
  func everythingElseIsText(text: String) { #expect(ScalarValue(plain: text) == .string) }
}
