import KubeModel
import Testing

@Suite struct JSONInputTests {
  private func tree(_ text: String) throws -> TreeValue {
    TreeValue(try #require(YAMLParser().documents(in: Array(text.utf8)).first).get().root)
  }

  @Test func jsonIsReadAsItIs() throws {
    #expect(
      try tree(#"{"a":1,"b":[true,null,-1.5e3,"x"],"c":{},"d":[],"e":"http://x/y:z","f":""}"#)
        == ["a": 1, "b": [true, nil, -1500.0, "x"], "c": [:], "d": [], "e": "http://x/y:z", "f": ""])
  }

  @Test func tabsBetweenTokensAreFine() throws {
    #expect(try tree("\t{\n\t\"a\"\t:\t[\t1\t,\n\t\t2\t]\n\t}\t\n\t\n") == ["a": [1, 2]])
    #expect(try tree("{\r\n\t\"a\": 1\r\n}\r\n") == ["a": 1])
  }

  @Test func everyEscapeIsUnderstood() throws {
    #expect(try tree(#"{"a":"\"\\\/\b\f\n\r\t\u0041\u00e9\u20ac"}"#) == ["a": "\"\\/\u{8}\u{C}\n\r\tAé€"])
  }

  @Test func surrogatePairsBecomeOneCharacter() throws {
    #expect(try tree(#"{"a":"x\ud83d\ude00y \\ud83d","k\uD83D\uDE00":2}"#) == ["a": "x😀y \\ud83d", "k😀": 2])
  }

  @Test func charactersYAMLWouldFoldStayAsTheyAre() throws {
    #expect(try tree("{\"a\":\"x\u{2028}y\u{85}z\u{7F}\u{9F} \u{2029} w\"}") == ["a": .string("x\u{2028}y\u{85}z\u{7F}\u{9F} \u{2029} w")])
  }

  @Test func flowYAMLThatStartsLikeJSONIsStillYAML() throws {
    #expect(try tree("{a: 'it''s \u{1F600} \\ud83d\\ude00', b: yes}") == ["a": "it's 😀 \\ud83d\\ude00", "b": true])
  }

  @Test func numbersInQuotesStayText() throws {
    #expect(try tree(#"{"a":"1","b":"true","c":"null","d":"yes"}"#) == ["a": "1", "b": "true", "c": "null", "d": "yes"])
  }

  @Test func loneSurrogatesAndRawNULAreRefused() {
    for text in [#"{"a":"\ud83d"}"#, #"{"a":"\u0000"}"#, #"{"a":"\ude00\ud83d"}"#, #"{"a":"x}"#, #"{"a":1"#, #"{"a" 1}"#] {
      let failed = YAMLParser().documents(in: Array(text.utf8)).contains { if case .failure = $0 { true } else { false } }
      #expect(failed, "\(text)")
    }
  }

  @Test func placesInJSONAreThoseOfTheFile() throws {
    let decoded = decode(
      "\n\t\n{\"apiVersion\":\"v1\",\n\"kind\":\"Pod\",\n\"metadata\":{\"name\":\"a\"},\n\"spec\":{\n\"containers\":[]}}")
    #expect(decoded.lines == ["t.yaml:7: Pod default/a: spec.containers: required: a pod has at least one container"])
  }
}
