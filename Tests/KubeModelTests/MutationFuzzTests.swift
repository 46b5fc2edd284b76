import KubeModel
import Testing

/// Damaged manifests never crash the decoder, and whatever it takes has no error.
@Suite struct MutationFuzzTests {
  private static let samples = [
    podText(
      spec: "volumes: [{name: v, configMap: {name: c, items: [{key: a, path: b, mode: 0600}]}}]\nhostNetwork: true",
      container: "ports: [{containerPort: 80}]\nenv: [{name: A, value: \"1\"}]\nresources: {limits: {cpu: 100m}}"),
    serviceText("clusterIP: 10.96.0.1\nselector: &s {app: web}\nexternalIPs: [192.0.2.1]"),
    "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {x: \"y\\u00e9\"}, binaryData: {b: AAEC}}\n- {apiVersion: v1, kind: Secret, metadata: {name: a}, stringData: {x: |-\n y}}\n",
    #"{"apiVersion":"discovery.k8s.io/v1","kind":"EndpointSlice","metadata":{"name":"a","labels":{"kubernetes.io/service-name":"s"}},"addressType":"IPv6","endpoints":[{"addresses":["fd00::1"],"zone":"\ud83d\ude00"}],"ports":[{"port":80}]}"#,
    "%YAML 1.1\n---\na: &a [1, 2]\nb: *a\n<<: {c: !!str 1}\n...\n---\n? x\n: - y\n  - |\n    text\n  - >-\n    folded\n",
    "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nfileCheckFrequency: 1m30s\nclusterDNS: [10.0.0.1]\nlogging: {format: json}\n",
  ]
  private static let pieces = [
    "---\n", "...\n", "- ", ": ", "{", "}", "[", "]", "\n", "\t", "  ", "&a ", "*a", "!!int ", "!x ", "\"", "'", "|\n", "\\ud83d",
    "\u{FEFF}", "<<: ", "~", "1e99999", "-0x", ".inf", "%YAML 9.9\n", "# ", "\r", "null", "[[[[[[[[",
    "::", "999999999999999999999", "Ei", "/..", "=",
  ]

  @Test(arguments: [1, 2, 3, 4]) func damagedManifestsNeverCrash(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<1500 {
      var bytes = Array((Self.samples.randomElement(using: &generator) ?? "").utf8)
      for _ in 0..<Int.random(in: 1...6, using: &generator) { mutate(&bytes, &generator) }
      let decoded = ManifestDecoder.decode(bytes, file: "f")
      #expect(decoded.problems.allSatisfy { $0.line >= 1 && $0.column >= 1 && !$0.description.isEmpty })
      #expect(Set(decoded.objects.map(\.key)).count == decoded.objects.count)
      _ = ConfigurationDecoder.decode(bytes, file: "f")
      for case .success(let document) in YAMLParser().documents(in: bytes) where document.faults.isEmpty {
        expectRoundTrip(TreeValue(document.root), seed)
      }
    }
  }

  /// What was read and written again reads the same, except for numbers JSON and YAML write in several ways.
  private func expectRoundTrip(_ value: TreeValue, _ seed: UInt64) {
    guard let text = try? YAMLEmitter().text(value) else {
      Issue.record("seed \(seed): not written")
      return
    }
    let again = YAMLParser().documents(in: Array(text.utf8))
    guard case .success(let document)? = again.first, again.count == 1 else {
      if value != .null { Issue.record("seed \(seed): does not read back: \(text)") }
      return
    }
    #expect(JSONEmitter().text(TreeValue(document.root)) == JSONEmitter().text(value), "seed \(seed)")
  }

  private func mutate(_ bytes: inout [UInt8], _ generator: inout SeededGenerator) {
    guard !bytes.isEmpty else { return }
    let place = Int.random(in: 0..<bytes.count, using: &generator)
    switch Int.random(in: 0...5, using: &generator) {
    case 0: bytes[place] = UInt8.random(in: 0...255, using: &generator)
    case 1: bytes.remove(at: place)
    case 2: bytes.removeSubrange(place..<min(bytes.count, place + Int.random(in: 1...30, using: &generator)))
    case 3: bytes.insert(contentsOf: (Self.pieces.randomElement(using: &generator) ?? "").utf8, at: place)
    case 4:
      let end = min(bytes.count, place + Int.random(in: 1...60, using: &generator))
      bytes.insert(contentsOf: bytes[place..<end], at: Int.random(in: 0..<bytes.count, using: &generator))
    default:
      bytes[place] = bytes[Int.random(in: 0..<bytes.count, using: &generator)]
    }
  }
}
