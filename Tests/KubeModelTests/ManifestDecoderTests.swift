import KubeModel
import Testing

@Suite struct ManifestDecoderTests {
  private func configMap(_ name: String, _ data: String = "") -> String {
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: \(name)}\n\(data)"
  }

  @Test(arguments: ["", "\n", "# nothing here\n", "---\n---\n"])
  func emptyFilesHaveNeitherObjectsNorProblems(text: String) {
    let decoded = decode(text)
    #expect(decoded.objects.isEmpty)
    #expect(decoded.problems.isEmpty)
  }

  @Test func aTenMegabyteFileIsRefusedUnread() throws {
    let text = configMap("a", "data:\n  a: |\n" + String(repeating: "    0123456789012345678901234567890123456789\n", count: 230_000))
    #expect(text.utf8.count > 10_000_000)
    let decoded = decode(text)
    #expect(decoded.objects.isEmpty)
    #expect(decoded.lines == ["t.yaml:1: document 1: the file has \(text.utf8.count) bytes, the limit is 3145728"])
  }

  @Test func theLimitIsTheCallers() {
    #expect(ManifestDecoder.decode(Array(configMap("a").utf8), file: "f", maxBytes: 10).objects.isEmpty)
  }

  @Test func severalDocumentsAreSeveralObjects() {
    let decoded = decode("# header\n---\n" + configMap("a") + "---\n" + configMap("b") + "---\n# only a comment\n---\n" + podText())
    #expect(decoded.problems.isEmpty)
    #expect(decoded.objects.map(\.key.description) == ["ConfigMap default/a", "ConfigMap default/b", "Pod default/web"])
    #expect(decoded.objects.map(\.source.document) == [1, 2, 3])
    #expect(decoded.objects.map(\.source.line) == [3, 7, 13])
  }

  @Test func aBadDocumentNeverHurtsItsNeighbours() {
    let bad = [
      "a: [", "kind: Pod", "- x", "text", "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: 5", "a: 'x", "\u{1}",
      "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}",
    ]
    for text in bad {
      let decoded = decode(configMap("a") + "---\n\(text)\n---\n" + configMap("b"))
      #expect(decoded.objects.map(\.metadata.name) == ["a", "b"], "\(text)")
      #expect(!decoded.errors.isEmpty, "\(text)")
      #expect(decoded.problems.allSatisfy { $0.document == 2 && $0.line >= 5 && $0.line <= 9 }, "\(text): \(decoded.lines)")
    }
  }

  @Test func listsAreUnfolded() {
    let list = """
      apiVersion: v1
      kind: List
      metadata: {resourceVersion: ""}
      items:
      - {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}
      - {apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: Secret, metadata: {name: b}}]}
      - {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}
      - {apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: {x: 1}}
      - 5
      """
    let decoded = decode(list)
    #expect(decoded.objects.map(\.key.description) == ["ConfigMap default/a", "Secret default/b"])
    #expect(
      decoded.lines == [
        "t.yaml:7: ConfigMap default/a: items[2].metadata.name: the same object is already on line 5 of this file",
        "t.yaml:8: ConfigMap default/c: items[3].data.x: must be a string, not the integer 1: quote it",
        "t.yaml:9: List in document 1: items[4]: must be a mapping, not an integer",
      ])
  }

  @Test func typedListsNameTheKindOnce() {
    let decoded = decode(
      "apiVersion: v1\nkind: PodList\nitems:\n- metadata: {name: a}\n  spec: {containers: [{name: c, image: i}]}\n- {kind: Pod, apiVersion: v1, metadata: {name: b}, spec: {containers: [{name: c, image: i}]}}\n"
    )
    #expect(decoded.problems.isEmpty, "\(decoded.lines)")
    #expect(decoded.objects.map(\.key.description) == ["Pod default/a", "Pod default/b"])
    #expect(decode("apiVersion: discovery.k8s.io/v1\nkind: EndpointSliceList\nitems: []\n").problems.isEmpty)
    #expect(decode("apiVersion: v1\nkind: List\nitems: {}\n").reports("items", "must be a list"))
  }

  @Test(arguments: [
    ("apps/v1", "Deployment", "kind Deployment (apps/v1) is not run by a node agent without an API server: write the Pod it would create"),
    ("batch/v1", "CronJob", "kind CronJob (batch/v1) is not run by a node agent without an API server: write the Pod it would create"),
    (
      "v1", "Endpoints",
      "kind Endpoints (v1) is not read: write an EndpointSlice (discovery.k8s.io/v1) with the label kubernetes.io/service-name"
    ),
    (
      "v1", "Namespace",
      "kind Namespace (v1) has no meaning for a node agent without an API server: Pod, ConfigMap, Secret, Service and EndpointSlice have"
    ),
    ("v1", "pod", "kind pod (v1) has no meaning for a node agent without an API server, did you mean Pod?"),
    (
      "kubelet.config.k8s.io/v1beta1", "KubeletConfiguration",
      "kind KubeletConfiguration (kubelet.config.k8s.io/v1beta1) is the agent's configuration, not a manifest: give its file with --config"
    ),
  ])
  func otherKindsAreRefusedWithAdvice(version: String, kind: String, reason: String) {
    let decoded = decode("apiVersion: \(version)\nkind: \(kind)\nmetadata: {name: a}\n")
    #expect(decoded.lines == ["t.yaml:1: \(kind) a: \(reason)"])
  }

  @Test func theWrongVersionIsRefused() {
    #expect(
      decode("apiVersion: v2\nkind: Pod\nmetadata: {name: a}").lines == ["t.yaml:1: Pod default/a: apiVersion: Pod is read as v1, not v2"])
    #expect(decode("kind: Pod\nmetadata: {name: a}").lines == ["t.yaml:1: Pod default/a: apiVersion: required: v1"])
    #expect(decode("apiVersion: v1\nmetadata: {name: a}").lines == ["t.yaml:1: document 1: kind: required"])
    #expect(decode("apiVersion: v1\nkind: 5\n").lines == ["t.yaml:1: document 1: kind: must be a string"])
    #expect(
      decode("apiVersion: discovery.k8s.io/v1beta1\nkind: EndpointSlice\nmetadata: {name: a}").reports("apiVersion", "discovery.k8s.io/v1"))
  }

  @Test func duplicatesInAFileAreReportedAtTheLaterPlace() {
    let decoded = decode(
      configMap("a", "data: {x: first}\n") + "---\n" + configMap("a", "data: {x: second}\n") + "---\n" + configMap("a, namespace: other"))
    #expect(decoded.objects.map(\.key.description) == ["ConfigMap default/a", "ConfigMap other/a"])
    #expect(decoded.lines == ["t.yaml:6: ConfigMap default/a: metadata.name: the same object is already on line 1 of this file"])
  }

  @Test func duplicateKeysRefuseTheObjectWithPathAndLine() {
    let decoded = decode(podText(container: "image: other"))
    #expect(decoded.objects.isEmpty)
    #expect(decoded.errors.map(\.fieldPath) == ["spec.containers[0].image"])
    #expect(decoded.errors.first?.line == 10)
  }

  @Test func filesAreMergedByNameAndTheFirstWins() {
    let first = ManifestDecoder.decode(Array((configMap("a") + "---\n" + configMap("b")).utf8), file: "1.yaml")
    let second = ManifestDecoder.decode(Array((configMap("c") + "---\n" + configMap("a", "data: {x: other}")).utf8), file: "2.yaml")
    let bad = ManifestDecoder.decode(Array("a: [".utf8), file: "0.yaml")
    let merged = ManifestSet.merge([second, bad, first])
    #expect(merged.objects.map { "\($0.source.file) \($0.metadata.name)" } == ["1.yaml a", "1.yaml b", "2.yaml c"])
    #expect(merged.problems.map(\.file) == ["0.yaml", "2.yaml"])
    #expect(
      merged.problems.last?.description
        == "2.yaml:5: ConfigMap default/a: metadata.name: the same object is already in 1.yaml:1, that one is used")
  }

  @Test func aFileOfMistakesIsCutButNeverHidesItsNeighbours() throws {
    let mistakes = (0..<2000).map { "  l\($0) x: b\n" }.joined()
    let decoded = decode(
      configMap("a") + "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata:\n" + mistakes + "---\n"
        + configMap("b", "datta: {}"))
    #expect(decoded.objects.map(\.metadata.name) == ["a"])
    #expect(decoded.problems.count == 102)
    #expect(decoded.reports("datta", "did you mean data?"))
    #expect(try #require(decoded.problems.last).reason == "1900 further errors and 0 further warnings are not shown")
  }

  @Test func documentsAreCounted() throws {
    let results = YAMLParser(limits: YAMLLimits(maxDocuments: 2)).documents(in: Array("a: 1\n---\nb: 1\n---\nc: 1\n---\nd: 1\n".utf8))
    try #require(results.count == 3)
    #expect(throws: YAMLError(line: 4, column: 1, reason: "the file has more than 2 documents, the rest is not read")) {
      try results[2].get()
    }
  }

  @Test func decodingTwiceGivesTheSame() {
    let text = podText(spec: "b: 1\na: 2", metadata: "labels: {a: 1, b: 2, c d: 3, e: 4, f: 5}") + "\n---\n- x\n"
    #expect(decode(text).lines == decode(text).lines)
  }
}

@Suite struct CanonicalFormTests {
  @Test func spellingsOfOnePodAreEqual() throws {
    let yaml = try #require(
      decode(
        "# c\nkind: Pod\napiVersion: v1\nmetadata:\n  name: \"a\"\nspec:\n  containers:\n  - image: i\n    name: c\n    ports: [{containerPort: 0x50}]\n"
      ).pod)
    let json = try #require(
      decode(
        #"{"apiVersion":"v1","kind":"Pod","metadata":{"creationTimestamp":null,"name":"a"},"spec":{"containers":[{"name":"c","image":"i","ports":[{"containerPort":80}]}]},"status":{"phase":"Running"}}"#
      ).pod)
    #expect(yaml.canonicalForm == json.canonicalForm)
    #expect(yaml == json)
    #expect(
      yaml.canonicalForm
        == #"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"},"spec":{"containers":[{"image":"i","name":"c","ports":[{"containerPort":80}]}]}}"#
    )
  }

  @Test func anyChangeOfContentShows() throws {
    let base = try #require(decode(podText()).pod).canonicalForm
    for other in [
      podText(spec: "hostname: a"), podText(container: "args: [a]"), podText(metadata: "labels: {a: b}"),
      podText(metadata: "annotations: {a: b}"),
      podText(spec: "nodeSelector: {a: b}"), podText(container: "args: []"),
    ] {
      #expect(try #require(decode(other).pod).canonicalForm != base)
    }
    #expect(try #require(decode("# moved\n\n" + podText()).pod).canonicalForm == base)
    #expect(try #require(decode("# moved\n\n" + podText()).pod) == #require(decode(podText()).pod))
  }
}
