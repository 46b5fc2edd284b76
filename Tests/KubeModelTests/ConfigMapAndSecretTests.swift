import KubeModel
import Testing

@Suite struct ConfigMapAndSecretTests {
  private func configMap(_ text: String) -> (DecodedManifest, ConfigMap?) {
    let decoded = decode("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n\(text)")
    if case .configMap(let map)? = decoded.objects.first { return (decoded, map) }
    return (decoded, nil)
  }

  private func secret(_ text: String) -> (DecodedManifest, Secret?) {
    let decoded = decode("apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n\(text)")
    if case .secret(let secret)? = decoded.objects.first { return (decoded, secret) }
    return (decoded, nil)
  }

  @Test func configMapsKeepTextAndBytes() throws {
    let (decoded, map) = configMap("data: {a.txt: \"x\\n\", empty: }\nbinaryData: {b: AAECAw==}\nimmutable: true")
    #expect(decoded.problems.isEmpty)
    #expect(map?.data == ["a.txt": "x\n", "empty": ""])
    #expect(map?.binaryData == ["b": [0, 1, 2, 3]])
    #expect(map?.immutable == true)
  }

  @Test(arguments: [
    ("data: {a: 1}", "data.a", "quote it"), ("data: {a/b: x}", "data[a/b]", "letters, digits"), ("data: {..: x}", "data[..]", "letters"),
    ("data: [a]", "data", "must be a mapping"),
    ("data: {a: {b: c}}", "data.a", "not a mapping"), ("binaryData: {a: '!'}", "binaryData.a", "base64"),
    ("data: {a: x}\nbinaryData: {a: AA==}", "binaryData.a", "also a key"), ("dta: {}", "dta", "did you mean data?"),
  ])
  func badConfigMapsAreRefused(text: String, path: String, part: String) {
    let (decoded, map) = configMap(text)
    #expect(decoded.reports(path, part), "\(decoded.lines)")
    #expect(map == nil)
  }

  @Test func tooMuchContentIsRefused() {
    #expect(configMap("data: {a: \(String(repeating: "x", count: 1 << 20))}").1 != nil)
    #expect(configMap("data: {a: \(String(repeating: "x", count: 1 << 20 | 1))}").0.reports("data", "the limit is 1048576"))
  }

  @Test func stringDataWinsOverData() {
    let (decoded, secret) = secret("type: kubernetes.io/tls\ndata: {a: eA==, b: \"eHk=\\n\"}\nstringData: {a: plain}")
    #expect(decoded.problems.isEmpty)
    #expect(secret?.data == ["a": Array("plain".utf8), "b": Array("xy".utf8)])
    #expect(secret?.type == "kubernetes.io/tls")
  }

  @Test(arguments: ["e", "eA", "eA=", "eA===", "====", "=eA=", "eA==eA==", "e A=", "eA-_", "plain!"])
  func brokenBase64IsRefusedWithoutShowingIt(text: String) {
    let (decoded, secret) = secret("data: {a: \"\(text)\"}")
    #expect(decoded.reports("data.a", "is not base64"))
    #expect(secret == nil)
    #expect(!decoded.lines.joined().contains("\"\(text)\""))
  }

  @Test(
    arguments: [
      ("", []), ("AA==", [0]), ("AAE=", [0, 1]), ("AAEC", [0, 1, 2]), ("//79", [255, 254, 253]), ("AAEC\\nAwQF", [0, 1, 2, 3, 4, 5]),
    ] as [(String, [UInt8])])
  func base64Decodes(text: String, bytes: [UInt8]) {
    #expect(secret("data: {a: \"\(text)\"}").1?.data["a"] == bytes)
  }

  @Test func secretsNeverPrintTheirValues() throws {
    let secret = try #require(secret("stringData: {password: hunter2}").1)
    var dumped = ""
    dump(secret, to: &dumped)
    for text in ["\(secret)", String(reflecting: secret), dumped, "\(KubeObject.secret(secret))"] {
      #expect(!text.contains("hunter2"))
      #expect(!text.contains("104"), "the bytes are not shown either: \(text)")
    }
  }
}
