import Glibc
import KubeModel

/// Makes a pod's volumes on the node and takes them away again. Thin: what goes in is decided by `VolumePayload`.
///
/// Paths are upstream's: `<root>/pods/<uid>/volumes/kubernetes.io~<plugin>/<volume>`. Every function blocks; callers run it
/// through `BlockingCall`.
package struct VolumeManager: Sendable {
  var node: NodeFacts
  var pod: ManagedPod

  package init(node: NodeFacts, pod: ManagedPod) {
    self.node = node
    self.pod = pod
  }

  private var directory: String { node.podDirectory(pod.uid) }

  /// Where a volume is on the node.
  package func hostPath(of volume: Volume) -> String {
    let plugin: String
    switch volume.source {
    case .hostPath(let source): return source.path
    case .emptyDir: plugin = "empty-dir"
    case .configMap: plugin = "configmap"
    case .secret: plugin = "secret"
    case .downwardAPI: plugin = "downward-api"
    case .projected: plugin = "projected"
    }
    return "\(directory)/volumes/kubernetes.io~\(plugin)/\(volume.name)"
  }

  /// Makes or refreshes every volume. Idempotent: what is right is left alone.
  package func setUp(facts: PodFacts, objects: ConfigurationObjects, stamp: Int64) throws {
    try Files.makeDirectories(directory, mode: 0o750)
    for volume in pod.pod.spec.volumes {
      let path = hostPath(of: volume)
      switch volume.source {
      case .hostPath(let source): try HostPathCheck(source: source).run()
      case .emptyDir(let source): try setUpEmptyDir(source, at: path)
      case .configMap, .secret, .downwardAPI, .projected:
        guard let payload = try VolumePayload.of(volume.source, facts: facts, objects: objects) else { continue }
        try setUpFiles(payload, at: path, inMemory: holdsSecrets(volume.source), stamp: stamp)
      }
    }
  }

  /// Unmounts and removes everything of the pod. Idempotent, and works without knowing the spec the pod was started with.
  package static func tearDown(podDirectory: String) throws {
    for target in try MountTable.current().targets(below: podDirectory) {
      // Detached: a process outside may still hold a file open, and the pod must not wait for it.
      if umount2(target, Int32(MNT_DETACH)) != 0, errno != EINVAL { throw SystemError("umount", target) }
    }
    try Files.removeTree(podDirectory)
  }

  private func setUpEmptyDir(_ source: EmptyDirVolumeSource, at path: String) throws {
    if source.medium == .memory {
      guard try !MountTable.current().contains(path) else { return }
      try Files.makeDirectories(path)
      let size = source.sizeLimit.map { ",size=\($0.value())" } ?? ""
      try mountMemory(at: path, options: "mode=0777\(size)")
      return try setGroup(of: path)
    }
    guard !Files.exists(path) else { return }
    // Made beside its place, so that what is at its place is whole, whenever the daemon is stopped.
    let unfinished = "\(path)..new"
    try Files.makeDirectories(unfinished)
    // World-writable, because any user of any container of the pod may use it.
    if chmod(unfinished, 0o777) != 0 { throw SystemError("chmod", unfinished) }
    try setGroup(of: unfinished)
    if rename(unfinished, path) != 0 { throw SystemError("rename", path) }
  }

  private func setUpFiles(_ payload: VolumePayload, at path: String, inMemory: Bool, stamp: Int64) throws {
    try Files.makeDirectories(path)
    if inMemory { try mountMemory(at: path, options: "mode=0755") }
    _ = try AtomicWriter(directory: path, group: group).write(payload, stamp: stamp)
    try setGroup(of: path)
  }

  /// Secrets never touch a disk.
  private func holdsSecrets(_ source: VolumeSource) -> Bool {
    switch source {
    case .secret: true
    case .projected(let projected):
      projected.sources.contains { part in
        if case .secret = part { true } else { false }
      }
    default: false
    }
  }

  private func mountMemory(at path: String, options: String) throws {
    guard try !MountTable.current().contains(path) else { return }
    if mount("tmpfs", path, "tmpfs", UInt(MS_NOSUID | MS_NODEV), options) != 0 { throw SystemError("mount tmpfs", path) }
  }

  private var group: gid_t? { pod.pod.spec.securityContext.fsGroup.flatMap { gid_t(exactly: $0) } }

  private func setGroup(of path: String) throws {
    guard let group else { return }
    if chown(path, uid_t.max, group) != 0 { throw SystemError("chown", path) }
    var info = stat()
    if stat(path, &info) == 0, chmod(path, info.st_mode & 0o7777 | 0o2070) != 0 { throw SystemError("chmod", path) }
  }
}
