import KubeModel
import PodAgent
import Testing

/// A pod's UID decides whether it is the one that runs already.
@Suite struct ManagedPodTests {
  private let yaml = """
    apiVersion: v1
    kind: Pod
    metadata:
      name: web
      labels: {app: web}
    spec:
      containers:
      - name: main
        image: "nginx:1"
    """
  private let json = """
    {"kind": "Pod", "apiVersion": "v1", "spec": {"containers": [{"image": "nginx:1", "name": "main"}]},
     "metadata": {"labels": {"app": "web"}, "name": "web"}}
    """

  private func uid(_ text: String, file: String = "a.yaml", node: String = "node") throws -> String {
    ManagedPod(static: try decodedPod(text, file: file), nodeName: node).uid
  }

  @Test func spellingAndPlaceDoNotMatter() throws {
    let expected = try uid(yaml)
    #expect(try uid(yaml) == expected)
    #expect(try uid(json, file: "b.json") == expected)
    #expect(try uid("# a comment\n\n---\n" + yaml + "\n---\n") == expected)
    #expect(try uid(yaml + "\nstatus: {phase: Running}") == expected)
  }

  @Test func contentAndNodeMatter() throws {
    let expected = try uid(yaml)
    #expect(try uid(yaml.replacing("nginx:1", with: "nginx:2")) != expected)
    #expect(try uid(yaml.replacing("app: web", with: "app: db")) != expected)
    #expect(try uid(yaml, node: "other") != expected)
  }

  @Test func aWrittenUIDDoesNotHideAChange() throws {
    let written = yaml.replacing("name: web\n", with: "name: web\n  uid: \"1234\"\n")
    #expect(try uid(written) == uid(written))
    #expect(try uid(written) != uid(written.replacing("nginx:1", with: "nginx:2")))
  }

  @Test func itIsThirtyTwoHexadecimalDigitsAndStaysTheSameOverVersions() throws {
    let uid = try uid(yaml)
    #expect(uid.count == 32)
    #expect(uid.allSatisfy { $0.isHexDigit && !$0.isUppercase })
    // A UID that changed with a release would restart every pod of every node.
    #expect(ManagedPod.simple("web").uid == "392ce528c29820c821f729c67924b735")
  }
}
