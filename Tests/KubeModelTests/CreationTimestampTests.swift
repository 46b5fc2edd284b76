import KubeModel
import Testing

/// The age of an object, which settles who keeps what only one can have.
@Suite struct CreationTimestampTests {
  private func created(_ text: String) -> DecodedManifest {
    decode("apiVersion: v1\nkind: Service\nmetadata: {name: s, creationTimestamp: \(text)}\nspec: {ports: [{port: 80}]}")
  }

  @Test(
    arguments: [
      ("1970-01-01T00:00:00Z", 0), ("\"2023-11-14T22:13:20Z\"", 1_700_000_000), ("2024-02-29T23:59:59Z", 1_709_251_199),
      ("2000-03-01T00:00:00Z", 951_868_800), ("1969-12-31T23:59:59Z", -1), ("2023-11-14T23:13:20.75+01:00", 1_700_000_000),
      ("2023-11-14T20:43:20-01:30", 1_700_000_000), ("null", nil),
    ] as [(String, Int64?)])
  func timesAreRead(_ text: String, _ expected: Int64?) throws {
    let decoded = created(text)
    #expect(decoded.problems.isEmpty, "\(decoded.lines)")
    #expect(try #require(decoded.service).metadata.creationTimestamp == expected)
  }

  @Test(arguments: [
    "yesterday", "2023-11-14", "2023-11-14 22:13:20Z", "2023-02-29T00:00:00Z", "2023-13-01T00:00:00Z", "2023-11-14T24:00:00Z",
    "2023-11-14T22:13:20", "2023-11-14T22:13:20.Z", "2023-11-14T22:13:20+0100", "2023-11-14T22:13:20Z ...", "+023-11-14T22:13:20Z",
  ])
  func otherTextIsNoTime(_ text: String) {
    #expect(created("\"\(text)\"").reports("metadata.creationTimestamp", "time"), "\(created(text).lines)")
  }
}
