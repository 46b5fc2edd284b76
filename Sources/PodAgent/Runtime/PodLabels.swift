/// Labels and annotations of sandboxes and containers: upstream's names, so that crictl, log collectors and metrics agents
/// find what they know.
public enum PodLabels {
  public static let podName = "io.kubernetes.pod.name"
  public static let podNamespace = "io.kubernetes.pod.namespace"
  public static let podUID = "io.kubernetes.pod.uid"
  public static let containerName = "io.kubernetes.container.name"

  /// On every sandbox of ours, with the node's name: what does not carry it is somebody else's and left alone.
  public static let node = "swiftlet.io/node"
}

public enum PodAnnotations {
  public static let configSource = "kubernetes.io/config.source"
  public static let configHash = "kubernetes.io/config.hash"
  public static let gracePeriod = "io.kubernetes.pod.terminationGracePeriod"
  /// The file a static pod came from, so that a pod whose file has become unreadable is left alone.
  public static let manifest = "swiftlet.io/manifest"
  public static let restartCount = "io.kubernetes.container.restartCount"
  public static let containerHash = "io.kubernetes.container.hash"
  public static let terminationMessagePath = "io.kubernetes.container.terminationMessagePath"
  public static let terminationMessagePolicy = "io.kubernetes.container.terminationMessagePolicy"
}
