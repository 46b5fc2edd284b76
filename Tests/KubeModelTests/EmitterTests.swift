import KubeModel
import Testing

@Suite struct EmitterTests {
  private let sample: TreeValue = [
    "apiVersion": "v1", "count": 3, "ratio": 1.5, "on": true, "nothing": nil, "empty": [:], "none": [],
    "items": [["name": "a", "text": "one\ntwo\n"], ["name": "1"], [["x"], []]],
  ]

  @Test func yamlLooksAsPeopleWriteIt() throws {
    #expect(
      try YAMLEmitter().text(sample) == """
        apiVersion: v1
        count: 3
        ratio: 1.5
        "on": true
        nothing: null
        empty: {}
        none: []
        items:
        - name: a
          text: |
            one
            two
        - name: "1"
        - - - x
          - []

        """)
  }

  @Test func severalDocumentsAreSeparated() throws {
    let text = try YAMLEmitter().text(documents: [["a": 1], ["b": 2]])
    #expect(text == "a: 1\n---\nb: 2\n")
  }

  @Test func jsonIsCompactOrIndented() {
    let value: TreeValue = ["a": [1, "x\"\\\n\u{1}\u{7F}é"], "b": [:], "c": 1.5, "d": 1e3]
    #expect(JSONEmitter().text(value) == #"{"a":[1,"x\"\\\n\u0001\u007fé"],"b":{},"c":1.5,"d":1000}"#)
    #expect(
      JSONEmitter(pretty: true).text(value) == """
        {
          "a": [
            1,
            "x\\"\\\\\\n\\u0001\\u007fé"
          ],
          "b": {},
          "c": 1.5,
          "d": 1000
        }
        """)
  }

  @Test(arguments: [
    "", " ", "yes", "no", "~", "null", "1", "0x1", "1e3", "1.5", "- a", "a: b", "a #b", "#a", "'", "\"", "{", "[", "@", "*a", "&a", "!a",
    "%",
    "|", ">", "a\nb", "a\n", "\na", "\n", " a\nb", "a \nb", "a\n\n\nb\n\n", "\ta\n", "a\tb", "a\r\nb", "\u{85}", "\u{2028}", "\u{FEFF}x",
    "\u{7F}", "😀", "é\nü",
    "<<", "=", "2020-01-01", "12:30", "---", "--- a", "...", "a\n---\nb", "?", "? a", ":", "a:", ",", "\u{1}", "true\n", "x\n  y\n z",
    "C:\\n",
  ])
  func everyTextReadsBack(text: String) throws {
    let value: TreeValue = ["k": .string(text), "l": [.string(text)], "m": ["n": .string(text)], "z": 1]
    #expect(try readBack(YAMLEmitter().text(value)) == value)
    #expect(try readBack(JSONEmitter().text(value)) == value)
    #expect(try readBack(JSONEmitter(pretty: true).text(value)) == value)
  }

  @Test func randomTreesReadBack() throws {
    var generator = SeededGenerator(seed: 3)
    for round in 0..<1500 {
      let value: TreeValue = ["root": tree(depth: 0, &generator), "end": 1]
      let yaml = try YAMLEmitter().text(value)
      #expect(try readBack(yaml) == value, "round \(round):\n\(yaml)")
      #expect(try readBack(JSONEmitter().text(value)) == value, "round \(round)")
    }
  }

  private func readBack(_ text: String) throws -> TreeValue {
    TreeValue(try #require(YAMLParser().documents(in: Array(text.utf8)).first).get().root)
  }

  private func tree(depth: Int, _ generator: inout SeededGenerator) -> TreeValue {
    switch Int.random(in: 0...(depth < 4 ? 8 : 6), using: &generator) {
    case 0: return .null
    case 1: return .bool(Bool.random(using: &generator))
    case 2: return .int(Int64.random(in: Int64.min...Int64.max, using: &generator))
    case 3: return .double(Double(Int.random(in: -999...999, using: &generator)) + 0.25)
    case 7: return .array((0..<Int.random(in: 0...4, using: &generator)).map { _ in tree(depth: depth + 1, &generator) })
    case 8:
      var object = TreeObject()
      for _ in 0..<Int.random(in: 0...4, using: &generator) { object[text(&generator)] = tree(depth: depth + 1, &generator) }
      return .object(object)
    default: return .string(text(&generator))
    }
  }

  private func text(_ generator: inout SeededGenerator) -> String {
    let alphabet: [Character] = [
      "a", "b", "1", "0", " ", "\n", "\t", ":", "-", "#", "'", "\"", "\\", "é", "😀", "|", "{", ",", "\u{85}", "\u{A0}", "\u{2029}", ".",
    ]
    return String((0..<Int.random(in: 0...9, using: &generator)).map { _ in alphabet.randomElement(using: &generator) ?? "a" })
  }
}
