/// YAML for tests, as a user would write it.
enum Manifests {
  /// Runs a script in busybox. Process 1 gets no default action for signals, so scripts that shall end at SIGTERM say so;
  /// `forever` does.
  /// - Parameters:
  ///   - spec: further lines of the pod's spec.
  ///   - container: further lines of the container.
  static func pod(
    _ name: String, labels: [String: String] = [:], script: String, spec: String = "", container: String = "", grace: Int = 5
  ) -> String {
    """
    apiVersion: v1
    kind: Pod
    metadata:
      name: \(name)
      labels: {\(labels.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }.joined(separator: ", "))}
    spec:
      terminationGracePeriodSeconds: \(grace)
    \(indented(spec, by: 2))
      containers:
        - name: main
          image: localhost/swiftlet/busybox:1
          command: [/bin/sh, -c]
          args:
            - |
    \(indented(script, by: 10))
    \(indented(container, by: 6))
    """
  }

  /// The end of a script that runs until it is told to stop.
  static let forever = "trap 'exit 0' TERM; sleep 100000 & wait"

  /// Serves its own name on port 8080.
  static func web(_ name: String, app: String = "web") -> String {
    """
    apiVersion: v1
    kind: Pod
    metadata: {name: \(name), labels: {app: \(app)}}
    spec:
      terminationGracePeriodSeconds: 5
      containers:
        - name: web
          image: localhost/swiftlet/web:1
          ports: [{name: http, containerPort: 8080}]
    """
  }

  static func service(_ name: String = "web", app: String = "web", more: String = "") -> String {
    """
    apiVersion: v1
    kind: Service
    metadata: {name: \(name)}
    spec:
      selector: {app: \(app)}
    \(indented(more, by: 2))
      ports: [{name: http, port: 80, targetPort: http}]
    """
  }

  static func documents(_ texts: String...) -> String { texts.joined(separator: "\n---\n") + "\n" }

  /// Lines of a spec and of a container that mount the node's share at /share.
  static func share(_ node: Node) -> (spec: String, container: String) {
    (
      "volumes: [{name: share, hostPath: {path: \(node.share), type: Directory}}]",
      "volumeMounts: [{name: share, mountPath: /share}]"
    )
  }

  private static func indented(_ text: String, by count: Int) -> String {
    text.split(separator: "\n").map { String(repeating: " ", count: count) + $0 }.joined(separator: "\n")
  }
}
