import KubeModel
import Testing
import swiftlet

/// Columns, ages and times.
struct TableTests {
  @Test func columnsLineUpAndLinesEndWithTheirText() {
    var table = Table(["NAME", "READY", "NOTE"])
    table.add(["a", "1/1", ""])
    table.add(["a-long-name", "0/1", "müde"])
    #expect(
      table.text() == """
        NAME          READY   NOTE
        a             1/1
        a-long-name   0/1     müde
        """)
    #expect(Table(["NAME"]).text() == "NAME")
  }

  @Test(
    arguments: [
      (-5, "0s"), (0, "0s"), (119, "119s"), (120, "2m"), (121, "2m1s"), (599, "9m59s"), (600, "10m"), (10799, "179m"), (10800, "3h"),
      (10860, "3h1m"), (28799, "7h59m"), (28800, "8h"), (172_799, "47h"), (172_800, "2d"), (176_400, "2d1h"), (691_199, "7d23h"),
      (691_200, "8d"), (63_071_999, "729d"), (63_072_000, "2y"), (63_158_400, "2y1d"), (252_288_000, "8y"),
    ] as [(Int64, String)])
  func agesReadAsThoseOfKubectl(_ seconds: Int64, _ text: String) {
    #expect(Age.text(seconds: seconds) == text)
  }

  @Test func timesGoToTextAndBack() {
    #expect(Timestamp.text(1_700_000_000_999_999_999) == "2023-11-14T22:13:20Z")
    #expect(Timestamp.text(0) == "1970-01-01T00:00:00Z")
    #expect(Timestamp.seconds("2023-11-14T22:13:20Z") == 1_700_000_000)
    #expect(Timestamp.seconds("2023-11-14T22:13:20.123Z") == 1_700_000_000)
    #expect(Timestamp.seconds("2024-02-29T00:00:00Z") == 1_709_164_800)
    for text in ["", "yesterday", "2023-11-14", "2023-11-14T22:13:20", "2023-11-14T22:13:20+01:00"] {
      #expect(Timestamp.seconds(text) == nil, "\(text)")
    }
    #expect(Timestamp.seconds(Timestamp.now()) != nil)
  }

  @Test func theAgeOfWhatHasNoTimeIsUnknown() {
    #expect(Age.text(since: nil, now: 0) == "<unknown>")
    #expect(Age.text(since: "2023-11-14T22:13:20Z", now: 1_700_000_060_000_000_000) == "60s")
  }
}
