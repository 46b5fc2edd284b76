import Glibc
import KubeModel
import PodAgent
import Testing

/// Nanoseconds, as the agent counts time.
func seconds(_ count: Double) -> Int64 { Int64(count * 1_000_000_000) }

/// Some time after the epoch, so that "0: never" stays apart.
let start: Int64 = 1_700_000_000_000_000_000

func decoded(_ text: String, file: String = "pod.yaml") throws -> [KubeObject] {
  let manifest = ManifestDecoder.decode(Array(text.utf8), file: file)
  try #require(manifest.problems.filter { $0.severity == .error }.isEmpty, "\(manifest.problems)")
  return manifest.objects
}

func decodedPod(_ text: String, file: String = "pod.yaml") throws -> Pod {
  guard case .pod(let pod)? = try decoded(text, file: file).first else { throw NoPod() }
  return pod
}

struct NoPod: Error {}

extension Pod {
  /// - Parameter version: stands for the content: another version is another pod.
  static func make(_ name: String, version: String = "1", file: String = "pods.yaml", _ spec: PodSpec) -> Pod {
    Pod(
      metadata: ObjectMeta(name: name, labels: ["app": name]), spec: spec, canonicalForm: "\(name) \(version)",
      source: ManifestSource(file: file))
  }
}

extension ManagedPod {
  static func make(_ name: String, version: String = "1", file: String = "pods.yaml", _ spec: PodSpec) -> ManagedPod {
    ManagedPod(static: .make(name, version: version, file: file, spec), nodeName: "node")
  }

  /// One container "main" that runs.
  static func simple(_ name: String, version: String = "1", file: String = "pods.yaml") -> ManagedPod {
    .make(name, version: version, file: file, PodSpec(containers: [Container(name: "main", image: "web:1")]))
  }
}

extension PodFacts {
  static func make(_ pod: Pod) -> PodFacts {
    PodFacts(
      pod: pod, uid: "uid-1", nodeName: "node", podAddresses: ["10.88.0.2", "fd00::2"].compactMap { IPAddress($0) },
      hostAddresses: ["192.0.2.1", "2001:db8::1"].compactMap { IPAddress($0) }, cpuMillis: 4000, memoryBytes: 8 << 30)
  }
}

func quantity(_ text: String) throws -> Quantity { try #require(Quantity(text)) }

/// A directory that goes with the test.
final class TemporaryDirectory: Sendable {
  let path: String

  init() throws {
    var template = Array("/tmp/podagent-tests-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw SystemError("mkdtemp", "/tmp") }
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit { try? Files.removeTree(path) }

  func write(_ name: String, _ text: String) throws { try Files.write("\(path)/\(name)", Array(text.utf8)) }
}

/// The permission bits, and what kind of file it is.
func mode(of path: String) -> mode_t {
  var info = stat()
  return lstat(path, &info) == 0 ? info.st_mode : 0
}

func inode(of path: String) -> ino_t {
  var info = stat()
  return lstat(path, &info) == 0 ? info.st_ino : 0
}
