import Glibc
import ProxyTesting
import Testing

extension RuntimeTests {
  /// The command as a user types it.
  @Suite struct Commands {
    @Test func aSecondDaemonOfTheSameRootDirectoryIsRefused() async throws {
      try await Node.with { node in
        let tool = try await Tool.run(node.runWords(["--socket", "\(node.directory)/other.sock"]), in: node.machine.node)
        #expect(tool.exit == .code(1))
        #expect(tool.err.contains("another swiftlet runs with --root-dir \(node.rootDirectory)"))
        #expect(try await node.command("get", "pods").succeeded, "the first goes on")
      }
    }

    @Test func withoutAProxyPodsRunAndServicesAreLeftAlone() async throws {
      let manifests = ["a.yaml": Manifests.web("web-a"), "service.yaml": Manifests.service()]
      try await Node.with(["--proxy-mode", "none"], manifests: manifests) { node in
        let pod = try await node.running("web-a")
        // A container that runs may not listen yet.
        try await eventually("its page") { try await node.get(pod.address, 8080) == .answer("hello from web-a") }
        #expect(try await Tool.must(["nft", "list", "tables"], in: node.machine.node) == "")
        try node.remove("a.yaml")
        try await node.gone("web-a")
      }
    }

    @Test(arguments: [["--proxy-mode", "carrier-pigeon"], ["--cgroup-driver", "carrier-pigeon"], ["--proxy-mode", "/nowhere/pigeon.so"]])
    func aBackendThatIsNotThereIsRefusedInOneLine(_ flags: [String]) async throws {
      try await Node.with { node in
        try await node.stop()
        let tool = try await Tool.run(node.runWords(flags), in: node.machine.node)
        #expect(tool.exit == .code(1))
        let errors = tool.err.split(separator: "\n").filter { $0.hasPrefix("Error: ") }
        #expect(errors.count == 1 && errors.first?.contains("pigeon") == true, "\(tool.err)")
        #expect(tool.out == "")
      }
    }

    @Test func healthzSaysOk() async throws {
      try await Node.with(["--healthz-port", "10248"]) { node in
        // The daemon answers at its socket before it listens here.
        let page = try await eventually("the health port") {
          let reply = try await node.get("127.0.0.1", 10248)
          return reply == .refused ? nil : reply
        }
        guard case .failed(let words) = page else { throw Problem("there is a page at /") }
        #expect(words.contains("404 Not Found"), "only /healthz is there")
        let reply = try await Tool.must(
          ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/10248 && printf 'GET /healthz HTTP/1.0\\r\\n\\r\\n' >&3 && cat <&3"],
          in: node.machine.node)
        #expect(reply.contains(" 200 ") && reply.hasSuffix("\r\n\r\nok"), "\(reply)")
        // A port that is taken ends the start at once, with the reason.
        let second = try await Tool.run(
          node.runWords(["--root-dir", "\(node.directory)/r2", "--socket", "\(node.directory)/2.sock"]), in: node.machine.node)
        #expect(second.exit == .code(1))
        #expect(second.err.contains("Error: the health endpoint cannot listen at http://127.0.0.1:10248"), "\(second.err)")
      }
    }

    @Test func pluginsAreListedWithWhetherTheyWork() async throws {
      try await Node.with { node in
        let table = try await Tool.run([node.machine.swiftlet, "plugins", "--plugin-dir", node.machine.plugins], in: node.machine.node)
        #expect(table.succeeded)
        for name in ["nftables", "cgroupv1", "cgroupv2"] { #expect(table.out.contains(name)) }
        let json = try await Tool.must(
          [node.machine.swiftlet, "plugins", "list", "--plugin-dir", node.machine.plugins, "-o", "json"], in: node.machine.node)
        let items = try Tree(json: json)["items"].items
        let nftables = try #require(items.first { $0["name"].text == "nftables" })
        #expect(nftables["usable"].isTrue && nftables["type"].text == "proxy")
        let usable = items.filter { $0["type"].text == "cgroup" && $0["usable"].isTrue }.map { $0["name"].text }
        #expect(usable == [Cgroups.isUnified ? "cgroupv2" : "cgroupv1"])
      }
    }

    @Test func checkFindsNothingInTheWayHereAndSaysWhatIsElsewhere() async throws {
      try await Node.with { node in
        let good = try await Tool.run([node.machine.swiftlet, "check"] + node.settings + ["--healthz-port", "0"], in: node.machine.node)
        #expect(good.succeeded, "\(good.out)\(good.err)")
        #expect(good.out.contains("containerd"))
        let bad = try await Tool.run(
          [node.machine.swiftlet, "check", "--container-runtime-endpoint", "unix:///nowhere.sock", "--plugin-dir", node.machine.plugins],
          in: node.machine.node)
        #expect(bad.exit == .code(1))
        #expect(bad.out.contains("FAIL") && bad.out.contains("/nowhere.sock"))
      }
    }

    @Test func getPrintsTablesAndYaml() async throws {
      try await Node.with(manifests: ["a.yaml": Manifests.web("web-a"), "service.yaml": Manifests.service()]) { node in
        try await node.running("web-a")
        let table = try await node.command("get", "pods")
        #expect(table.succeeded && table.out.hasPrefix("NAMESPACE") && table.out.contains("web-a") && table.out.contains("1/1"))
        let yaml = try await node.command("get", "pods", "-o", "yaml")
        #expect(yaml.succeeded && yaml.out.contains("kind: PodList"))
        #expect(try Tree(json: yaml.out)["items"].items.first.map { PodView(tree: $0).name } == "web-a", "YAML that reads as YAML")
        #expect(try await node.command("get", "services").out.contains("10.111."))
        let none = try await node.command("get", "pods", "--namespace", "elsewhere")
        #expect(none.succeeded && none.out == "")
        try await node.stop()
        let late = try await node.command("get", "pods")
        #expect(late.exit == .code(1) && late.err.contains(node.socket))
      }
    }

    @Test func theSocketIsForRootOnly() async throws {
      try await Node.with { node in
        var info = stat()
        #expect(stat(node.socket, &info) == 0)
        #expect(info.st_mode & 0o777 == 0o600)
      }
    }

    @Test func cleanupRemovesEverythingButNotUnderARunningDaemon() async throws {
      let manifests = [
        "a.yaml": Manifests.web("web-a"), "b.yaml": Manifests.web("web-b"), "service.yaml": Manifests.service(more: "type: NodePort"),
      ]
      try await Node.with(manifests: manifests) { node in
        let pod = try await node.running("web-a")
        try await node.running("web-b")
        let refused = try await node.cleanUp()
        #expect(refused.exit == .code(1))
        #expect(refused.err.contains("another swiftlet runs"))
        #expect(try await node.running("web-a").first.id == pod.first.id, "nothing was touched")
        try await node.stop()
        // Pods and rules are there without the daemon…
        let service = try #require(TestFiles.read("\(node.rootDirectory)/service-addresses.yaml"))
        #expect(service.contains("10.111."))
        #expect(try await node.machine.tasks().count == 4)
        #expect(try await !Tool.must(["nft", "list", "tables"], in: node.machine.node).isEmpty)
        // … until they are cleaned up; what is somebody else's stays.
        try await Tool.must(["nft", "add table inet somebody"], in: node.machine.node)
        let done = try await node.cleanUp()
        #expect(done.succeeded, "\(done.out)\(done.err)")
        #expect(try await node.leftovers() == ["rules table inet somebody"])
        try await Tool.must(["nft", "delete table inet somebody"], in: node.machine.node)
        let again = try await node.cleanUp()
        #expect(again.succeeded, "a second time is fine: \(again.err)")
        try await node.start()
        try await node.running("web-a")
      }
    }
  }
}
