import KubeModel
import Testing

@Suite struct YAMLParserTests {
  private func results(_ text: String, limits: YAMLLimits = YAMLLimits()) -> [Result<YAMLDocument, YAMLError>] {
    YAMLParser(limits: limits).documents(in: Array(text.utf8))
  }

  private func tree(_ text: String) throws -> TreeValue { TreeValue(try #require(results(text).first).get().root) }

  private func failure(_ text: String, limits: YAMLLimits = YAMLLimits()) -> YAMLError? {
    for case .failure(let error) in results(text, limits: limits) { return error }
    return nil
  }

  @Test func everyNodeKnowsItsPlace() throws {
    let root = try #require(results("# c\n---\na:\n  - x\n  -   w: 1\n").first).get().root
    let list = try #require(root["a"])
    guard case .sequence(let items) = list.content else {
      Issue.record("not a list")
      return
    }
    try #require(items.count == 2)
    #expect((items[0].line, items[0].column) == (4, 5))
    #expect((items[1].line, items[1].column) == (5, 7))
  }

  @Test(arguments: [
    "", "\n\n", "# only a comment\n", "---\n", "---\n---\n# c\n---\n", "%YAML 1.1\n---\n", "null\n", "~", "...\n", "...\n...\n---\n...\n",
    "\u{FEFF}",
  ])
  func emptyStreamsHaveNoDocuments(text: String) {
    #expect(results(text).isEmpty)
  }

  @Test func documentsAreSplitAtMarkersOnly() throws {
    let text = "a: |\n  text\n   --- not a marker\n--- {b: 1}\n---\nc: 2\n...\nd: 3\n---\r\ne: 4\r\n"
    #expect(
      try results(text).map { TreeValue(try $0.get().root) } == [
        ["a": "text\n --- not a marker\n"], ["b": 1], ["c": 2], ["d": 3], ["e": 4],
      ])
    #expect(try results(text).map { try $0.get().root.line } == [1, 4, 6, 8, 10])
  }

  @Test func directivesBelongToTheNextMarker() throws {
    let text = "%YAML 1.1\n---\na: 1\n...\n%YAML 1.1\n---\nb: 2\n"
    #expect(try results(text).map { TreeValue(try $0.get().root) } == [["a": 1], ["b": 2]])
  }

  @Test func aBrokenDocumentLeavesTheOthersReadable() throws {
    let documents = results("a: 1\n---\nb: [1\n---\nc: 3\n")
    try #require(documents.count == 3)
    #expect(TreeValue(try documents[0].get().root) == ["a": 1])
    #expect(throws: YAMLError.self) { try documents[1].get() }
    #expect(TreeValue(try documents[2].get().root) == ["c": 3])
  }

  @Test(
    arguments: [
      ("a: 1\nb:\n\tc: 2\n", 3, "tab"), ("a: 'x\n", 2, "quoted scalar"), ("a: {b: 1\n", 2, "flow mapping"),
      ("a: b: c\n", 1, "mapping values"),
      ("- a\nb: 1\n", 2, "did not find"), ("a: *x\n", 1, "*x"), ("a: &x [*x]\n", 1, "*x"), ("a: !custom 1\n", 1, "!custom"),
      ("? [a]\n: b\n", 1, "key"), ("yes: 1\n", 1, "quote it"), ("a: \"\\0\"\n", 1, "NUL"), ("@a: 1", 1, "cannot start"),
      ("a: %b", 1, "cannot start"),
      ("\"\\ud83d\": 1", 1, "Unicode"),
    ] as [(String, Int, String)])
  func badYAMLNamesLineAndReason(text: String, line: Int, part: String) throws {
    let error = try #require(failure(text))
    #expect(error.line == line, "\(error)")
    #expect(error.reason.contains(part), "\(error)")
  }

  @Test func linesCountFromTheStartOfTheFile() throws {
    #expect(try #require(failure("a: 1\n---\n# c\nb: 'x\n---\nc: 1\n")).line == 5)
  }

  @Test func duplicateKeysAreFaultsWithBothLines() throws {
    let document = try #require(results("a: {b: [x, {k: 1, z: 2, k: 3}]}\nc: 1\na: 2\n").first).get()
    #expect(document.faults.map(\.fieldPath) == ["a.b[1].k", "a"])
    #expect(document.faults.map(\.line) == [1, 3])
    #expect(document.faults.last?.reason == "duplicate key, first given on line 1")
  }

  @Test func duplicateKeysAreFoundInLargeMappings() throws {
    let text = (0..<3000).map { "k\($0): 1\n" }.joined() + "k7: 2\n"
    let faults = try #require(results(text).first).get().faults
    #expect(faults.map(\.fieldPath) == ["k7"])
  }

  @Test func anchorsAndMergeKeysWork() throws {
    let text = "base: &b {x: 1, v: 2}\nlist: &l [*b, *b]\nuse: {<<: *b, v: 3}\nboth: {<<: [*b, {z: 4}], w: *l}\n"
    #expect(
      try tree(text) == [
        "base": ["x": 1, "v": 2], "list": [["x": 1, "v": 2], ["x": 1, "v": 2]], "use": ["v": 3, "x": 1],
        "both": ["w": [["x": 1, "v": 2], ["x": 1, "v": 2]], "x": 1, "v": 2, "z": 4],
      ])
  }

  @Test func anchorsEndWithTheirDocument() {
    #expect(failure("a: &x 1\n---\nb: *x\n")?.line == 3)
  }

  @Test func billionLaughsAreRefused() throws {
    var text = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n"
    for level in 1..<12 { text += "a\(level): &a\(level) [" + Array(repeating: "*a\(level - 1)", count: 9).joined(separator: ",") + "]\n" }
    #expect(try #require(failure(text)).reason.contains("aliases"))
  }

  @Test func depthIsLimited() throws {
    #expect(failure(String(repeating: "[", count: 64) + String(repeating: "]", count: 64)) == nil)
    #expect(try #require(failure(String(repeating: "[", count: 65) + String(repeating: "]", count: 65))).reason.contains("deeper than 64"))
    #expect(try #require(failure(String(repeating: "[", count: 200_000))).reason.contains("deeper"))
    #expect(try #require(failure(String(repeating: "- ", count: 70) + "x")).reason.contains("deeper"))
    #expect(try #require(failure(String(repeating: "{a: ", count: 70))).reason.contains("deeper"))
  }

  @Test func depthThroughAliasesIsLimited() throws {
    var text = "a0: &a0 [x]\n"
    for level in 1..<80 { text += "a\(level): &a\(level) [*a\(level - 1)]\n" }
    #expect(try #require(failure(text)).reason.contains("through the alias"))
  }

  @Test func largeStreamsAreRefusedBeforeParsing() throws {
    let documents = YAMLParser().documents(in: [UInt8](repeating: UInt8(ascii: "["), count: 10_000_000))
    try #require(documents.count == 1)
    let error = try #require(failure("a: 1", limits: YAMLLimits(maxBytes: 3)))
    #expect(error.reason == "the file has 4 bytes, the limit is 3")
    #expect(throws: YAMLError(line: 1, column: 1, reason: "the file has 10000000 bytes, the limit is 3145728")) { try documents[0].get() }
  }

  @Test(
    arguments: [
      ([0x61, 0x3A, 0x20, 0xFF, 0x0A], "UTF-8"), ([0x61, 0x3A, 0x20, 0xC3, 0x28], "UTF-8"), ([0x61, 0x3A, 0x20, 0x00, 0x0A], "NUL"),
      ([0xFF, 0xFE, 0x61, 0x00], "UTF-16"), ([0xFE, 0xFF, 0x00, 0x61], "UTF-16"), ([0x7F, 0x45, 0x4C, 0x46, 0x02, 0x01, 0x00], "control"),
      ([0x61, 0x3A, 0x20, 0xED, 0xA0, 0x80], "Unicode"),
    ] as [([UInt8], String)])
  func bytesThatAreNoTextAreRefused(bytes: [UInt8], part: String) throws {
    let result = try #require(YAMLParser().documents(in: bytes).first)
    let error = #expect(throws: YAMLError.self) { try result.get() }
    #expect(error?.reason.contains(part) == true, "\(String(describing: error))")
  }

  @Test func aBadByteIsPlaced() throws {
    let bytes = Array("a: 1\nb: 2\n---\nc: 3\nd: x".utf8) + [0xFF] + Array("y\n---\ne: 5\n".utf8)
    let documents = YAMLParser().documents(in: bytes)
    try #require(documents.count == 3)
    let error = #expect(throws: YAMLError.self) { try documents[1].get() }
    #expect(error?.line == 5)
    #expect(error?.column == 5)
  }
}
