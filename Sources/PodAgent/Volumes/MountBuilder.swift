import CRI
import KubeModel
import SwiftProtobuf

/// The mounts of one container: its volume mounts, the pod's /etc/hosts and the file for its termination message.
/// Blocking where a subPath has to be bound.
struct MountBuilder {
  var volumes: VolumeManager
  var container: Container
  var attempt: UInt32

  func mounts() throws -> [CRIMount] {
    let pod = volumes.pod.pod
    var mounts: [CRIMount] = []
    for (index, mount) in container.volumeMounts.enumerated() {
      guard let volume = pod.spec.volumes.first(where: { $0.name == mount.name }) else {
        throw ConfigurationProblem("volumeMounts[\(index)]: no volume \"\(mount.name)\" in the pod")
      }
      var source = volumes.hostPath(of: volume)
      if !mount.subPath.isEmpty {
        let target = "\(podDirectory)/volume-subpaths/\(mount.name)/\(container.name)/\(index)"
        try SubPath(volume: source, path: mount.subPath, target: target).bind()
        source = target
      }
      mounts.append(
        .with {
          $0.containerPath = mount.mountPath
          $0.hostPath = source
          $0.readonly = mount.readOnly || isReadOnly(volume.source)
          $0.propagation = propagation(mount.mountPropagation)
        })
    }
    if let hosts = try hostsFile(), !isMounted("/etc/hosts", mounts) { mounts.append(hosts) }
    if !container.terminationMessagePath.isEmpty, !isMounted(container.terminationMessagePath, mounts) {
      mounts.append(try terminationMessageFile())
    }
    return mounts
  }

  private var podDirectory: String { volumes.node.podDirectory(volumes.pod.uid) }

  /// Containers cannot write these upstream either, since the next update would undo it.
  private func isReadOnly(_ source: VolumeSource) -> Bool {
    switch source {
    case .configMap, .secret, .downwardAPI, .projected: true
    case .emptyDir, .hostPath: false
    }
  }

  private func propagation(_ propagation: MountPropagation) -> CRIMountPropagation {
    switch propagation {
    case .none: .private
    case .hostToContainer: .hostToContainer
    case .bidirectional: .bidirectional
    }
  }

  private func isMounted(_ path: String, _ mounts: [CRIMount]) -> Bool { mounts.contains { $0.containerPath == path } }

  /// A pod on the node's network sees the node's own file.
  private func hostsFile() throws -> CRIMount? {
    guard !volumes.pod.pod.spec.hostNetwork else { return nil }
    let path = "\(podDirectory)/etc-hosts"
    guard Files.exists(path) else { return nil }
    return .with {
      $0.containerPath = "/etc/hosts"
      $0.hostPath = path
    }
  }

  private func terminationMessageFile() throws -> CRIMount {
    let path = MountBuilder.terminationMessagePath(in: podDirectory, container: container.name, attempt: attempt)
    try Files.makeDirectories(path.split(separator: "/").dropLast().reduce("") { "\($0)/\($1)" }, mode: 0o755)
    // Any user of the container may write it.
    try Files.write(path, [], mode: 0o666)
    return .with {
      $0.containerPath = container.terminationMessagePath
      $0.hostPath = path
    }
  }

  static func terminationMessagePath(in podDirectory: String, container: String, attempt: UInt32) -> String {
    "\(podDirectory)/containers/\(container)/termination-\(attempt)"
  }
}
