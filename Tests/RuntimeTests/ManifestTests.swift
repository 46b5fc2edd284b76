import Glibc
import Testing

extension RuntimeTests {
  /// What the directory says, good and bad.
  @Suite struct ManifestFiles {
    /// File, text, and what has to be said about it: where, and why.
    private static let broken: [(name: String, text: String, place: String, why: String)] = [
      ("syntax.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: x\nspec: [", "syntax.yaml:", ""),
      (
        "unknown.yaml",
        "apiVersion: v1\nkind: Pod\nmetadata: {name: unknown}\nspec:\n  containers: [{name: c, image: i, imagePulPolicy: Never}]\n",
        "spec.containers[0].imagePulPolicy", "unknown"
      ),
      (
        "type.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: wrong}\nspec:\n  containers:\n    - {name: c, image: i, tty: maybe}\n",
        "spec.containers[0].tty", "maybe"
      ),
    ]

    @Test func aBadManifestIsReportedWithItsPlaceAndDisturbsNoOtherPod() async throws {
      try await Node.with { node in
        try node.put("good.yaml", Manifests.pod("good", script: Manifests.forever))
        let before = try await node.running("good")
        for (name, text, _, _) in Self.broken { try node.put(name, text) }
        // One file, one good and one bad document.
        try node.put(
          "mixed.yaml", Manifests.documents(Manifests.pod("beside", script: Manifests.forever), "apiVersion: v1\nkind: Pod\nmetadata: {}\n")
        )
        for (name, _, place, why) in Self.broken {
          let event = try await node.event("InvalidManifest", of: name, containing: place)
          #expect(event.message.contains(name) && event.message.contains(why), "\(event.message)")
          // A line number where the file's name is.
          #expect(event.message.contains { $0.isNumber }, "\(event.message)")
          #expect(node.log.contains(event.message), "the log says the same")
        }
        try await node.event("InvalidManifest", of: "mixed.yaml", containing: "name")
        try await node.running("beside")
        let after = try await node.running("good")
        #expect(after.first.id == before.first.id && after.first.restarts == 0)
        let table = try await node.command("get", "events")
        #expect(table.succeeded && table.out.contains("imagePulPolicy"))
        #expect(try await node.pods().map(\.name).sorted() == ["beside", "good"])
      }
    }

    @Test func aPodWhoseFileBecomesBrokenKeepsRunningAlsoOverARestart() async throws {
      try await Node.with { node in
        try node.put("a.yaml", Manifests.pod("steady", script: Manifests.forever))
        let before = try await node.running("steady")
        let process = try await node.machine.tasks()[before.first.id]
        try node.put("a.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: steady\n")
        try await node.event("InvalidManifest", of: "a.yaml")
        #expect(try await node.running("steady").first.id == before.first.id)
        try await node.stop()
        try await node.start()
        try await node.event("InvalidManifest", of: "a.yaml")
        // Enough for the daemon to have adopted, planned and listed: another pod went all the way.
        try node.put("b.yaml", Manifests.pod("other", script: Manifests.forever))
        try await node.running("other")
        #expect(try await node.machine.tasks()[before.first.id] == process, "left alone")
        // Put right again, it is the same pod.
        try node.put("a.yaml", Manifests.pod("steady", script: Manifests.forever))
        #expect(try await node.running("steady").first.id == before.first.id)
        #expect(try await node.machine.tasks()[before.first.id] == process)
      }
    }

    @Test func twoPodsOfOneNameAreReportedAndOneOfThemRuns() async throws {
      try await Node.with { node in
        try node.put("a.yaml", Manifests.pod("twin", script: "echo first; \(Manifests.forever)"))
        let first = try await node.running("twin")
        try node.put("b.yaml", Manifests.pod("twin", script: "echo second; \(Manifests.forever)"))
        let event = try await node.event("InvalidManifest", containing: "twin")
        #expect(event.message.contains("a.yaml") && event.message.contains("b.yaml"), "\(event.message)")
        let pods = try await node.pods()
        #expect(pods.count == 1 && pods.first?.first.id == first.first.id)
        // With the first gone the second takes its place.
        try node.remove("a.yaml")
        try await node.pod("twin", "replaced by the other") { $0.isReady && $0.uid != first.uid }
      }
    }

    @Test func allFormsOfAFileAreTaken() async throws {
      try await Node.with { node in
        try node.put(
          "one.json",
          #"""
          {"apiVersion":"v1","kind":"Pod","metadata":{"name":"json"},"spec":{"terminationGracePeriodSeconds":1,
          "containers":[{"name":"c","image":"localhost/swiftlet/busybox:1","command":["sleep","100000"]}]}}
          """#)
        try node.put(
          "list.yaml",
          """
          apiVersion: v1
          kind: PodList
          items:
            - metadata: {name: listed}
              spec:
                terminationGracePeriodSeconds: 1
                containers: [{name: c, image: "localhost/swiftlet/busybox:1", args: [sleep, "100000"]}]
          """)
        try node.put(".hidden.yaml", Manifests.pod("hidden", script: Manifests.forever))
        try node.put("notes.txt", "no manifest at all")
        try await node.running("json")
        try await node.running("listed")
        #expect(try await node.pods().map(\.name).sorted() == ["json", "listed"])
        #expect(try await node.events().allSatisfy { $0.reason != "InvalidManifest" })
      }
    }
  }
}
