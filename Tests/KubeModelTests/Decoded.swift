import KubeModel

/// Decodes text as the file `t.yaml`.
func decode(_ text: String) -> DecodedManifest { ManifestDecoder.decode(Array(text.utf8), file: "t.yaml") }

func decodeConfiguration(_ text: String) -> DecodedConfiguration { ConfigurationDecoder.decode(Array(text.utf8), file: "c.yaml") }

extension DecodedManifest {
  /// The problems as one line each.
  var lines: [String] { problems.map(\.description) }

  var errors: [ManifestProblem] { problems.filter { $0.severity == .error } }

  /// Whether one problem has exactly this field path and a reason that contains `part`.
  func reports(_ fieldPath: String, _ part: String, _ severity: ManifestProblem.Severity = .error) -> Bool {
    problems.contains { $0.severity == severity && $0.fieldPath == fieldPath && $0.reason.contains(part) }
  }

  var pod: Pod? {
    if case .pod(let pod)? = objects.first { pod } else { nil }
  }

  var service: Service? {
    if case .service(let service)? = objects.first { service } else { nil }
  }

  var slice: EndpointSlice? {
    if case .endpointSlice(let slice)? = objects.first { slice } else { nil }
  }
}

/// A pod with one good container; `spec` and `container` are further lines of these two mappings, written at column 0.
func podText(spec: String = "", container: String = "", metadata: String = "") -> String {
  """
  apiVersion: v1
  kind: Pod
  metadata:
    name: web
  \(metadata.indented(2))
  spec:
    containers:
    - name: c
      image: nginx:1
  \(container.indented(4))
  \(spec.indented(2))
  """
}

/// A Service with one good port; `spec` is further lines of its spec.
func serviceText(_ spec: String = "", ports: String = "- port: 80") -> String {
  """
  apiVersion: v1
  kind: Service
  metadata: {name: s}
  spec:
    ports:
  \(ports.indented(2))
  \(spec.indented(2))
  """
}

extension String {
  func indented(_ columns: Int) -> String {
    split(separator: "\n", omittingEmptySubsequences: true).map { String(repeating: " ", count: columns) + $0 }.joined(separator: "\n")
  }
}

/// A small deterministic generator, so that a failure can be repeated from its seed.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
