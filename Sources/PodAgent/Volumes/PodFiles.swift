/// What a pod has on the node's disk, for those who remove it without running it.
package enum PodFiles {
  /// Unmounts and removes a pod's directory. Blocking; idempotent.
  package static func remove(podDirectory: String) throws { try VolumeManager.tearDown(podDirectory: podDirectory) }
}
