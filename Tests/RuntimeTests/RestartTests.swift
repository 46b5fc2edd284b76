import Glibc
import ProxyTesting
import Testing

extension RuntimeTests {
  /// The daemon and the runtime go and come back; pods and Services do not notice.
  @Suite struct Restarts {
    /// Two pods behind a Service, answering.
    private func withService(_ body: (Node, ServiceView) async throws -> Void) async throws {
      let manifests = [
        "a.yaml": Manifests.web("web-a"), "b.yaml": Manifests.web("web-b"), "service.yaml": Manifests.service(),
      ]
      try await Node.with(manifests: manifests) { node in
        let service = try await eventually("the Service's endpoints") {
          let service = try await node.service("web")
          return service?.readyEndpoints.count == 2 ? service : nil
        }
        try await eventually("an answer") { try await node.get(service.clusterIP, 80, patience: 5).text != nil }
        try await node.answers(service.clusterIP, 80, by: ["web-a", "web-b"])
        try await body(node, service)
      }
    }

    @Test(arguments: [SIGTERM, SIGKILL])
    func aRestartedDaemonLeavesPodsAndConnectionsAlone(_ signal: Int32) async throws {
      try await withService { node, service in
        let tasks = try await node.machine.tasks()
        let prober = try Prober(service.clusterIP, 80, in: node.machine.node)
        try await prober.more(20)
        try await node.stop(signal)
        try await prober.more(50)
        try await node.start()
        try await node.running("web-a")
        try await node.running("web-b")
        // What is asked of it now comes after its first sync, which replaces what the kernel had.
        try node.put("second.yaml", Manifests.service("second"))
        let second = try await eventually("another Service") { try await node.service("second") }
        try await eventually("its answer") { try await node.get(second.clusterIP, 80, patience: 5).text != nil }
        let replies = try await prober.stop()
        #expect(replies.filter { $0.text == nil } == [], "of \(replies.count) connections")
        let after = try await node.machine.tasks()
        #expect(tasks.allSatisfy { after[$0.key] == $0.value }, "same containers, same processes")
        #expect(after.count == tasks.count, "and no other")
        #expect(try await node.pods().allSatisfy { $0.containers.allSatisfy { $0.restarts == 0 } })
      }
    }

    @Test func whatChangedWhileTheDaemonWasDownIsActedUpon() async throws {
      try await withService { node, service in
        let before = try await node.running("web-a")
        try node.put("d.yaml", Manifests.pod("changes", script: "echo old; \(Manifests.forever)"))
        let changes = try await node.running("changes")
        try await node.stop(SIGKILL)
        try node.remove("b.yaml")
        try node.put("c.yaml", Manifests.web("web-c"))
        try node.put("d.yaml", Manifests.pod("changes", script: "echo new; \(Manifests.forever)"))
        try await node.start()
        let added = try await node.running("web-c")
        try await eventually("its page") { try await node.get(added.address, 8080).text != nil }
        try await node.pod("changes", "replaced") { $0.isReady && $0.uid != changes.uid }
        try await node.gone("web-b")
        #expect(try await node.running("web-a").first.id == before.first.id)
        try await node.answers(service.clusterIP, 80, by: ["web-a", "web-c"])
        #expect(try await node.machine.containers().count == 6, "three pods, each a sandbox and a container")
      }
    }

    /// Killed at several points of a pod's start, from the manifest's arrival to its container's.
    @Test(arguments: [0, 20, 50, 90, 140, 200, 280, 400])
    func aDaemonKilledInTheMiddleOfAStartMakesExactlyOneContainer(milliseconds: Int) async throws {
      try await Node.with { node in
        let share = Manifests.share(node)
        try node.put(
          "a.yaml",
          Manifests.pod("single", script: "echo run >> /share/runs; \(Manifests.forever)", spec: share.spec, container: share.container))
        // The offset is what is tried here, not a wait for something.
        try await Task.sleep(for: .milliseconds(milliseconds))
        try await node.stop(SIGKILL)
        try await node.start()
        try await node.running("single")
        // The sandbox of a start that was cut off may run a little longer.
        try await eventually("one sandbox and one container, and no other, to run") { try await node.machine.tasks().count == 2 }
        let runs = try await eventually("its first line") { TestFiles.read("\(node.share)/runs") }
        // A start that was cut off inside of the runtime leaves a dead container, which counts as a restart and is kept as the one
        // before, as upstream does. When its task was being started and not still created, containerd kills a process that may have
        // written its line.
        let container = try await node.running("single").first
        #expect(container.restarts <= 1)
        #expect(container.restarts == 0 || container.lastReason == "StartError")
        let mayHaveRun = container.restarts == 1 && container.lastMessage.contains("failed to start containerd task")
        #expect(runs == "run\n" || (mayHaveRun && runs == "run\nrun\n"), "it ran once: \(container.lastMessage)")
        let restarts = container.restarts
        try await node.machine.removeForgottenTasks()
        try await eventually("what the broken start left to be removed") { try await node.machine.containers().count == 2 + restarts }
      }
    }

    /// The start is brought to its end first: a pod that is not restarted would fail by it.
    @Test(arguments: [50, 90, 140, 180, 220, 260, 300])
    func aDaemonThatIsStoppedInTheMiddleOfAStartBreaksNoContainer(milliseconds: Int) async throws {
      try await Node.with { node in
        let share = Manifests.share(node)
        try node.put(
          "a.yaml",
          Manifests.pod(
            "single", script: "echo run >> /share/runs; \(Manifests.forever)", spec: "restartPolicy: Never\n\(share.spec)",
            container: share.container))
        // The offset is what is tried here, not a wait for something.
        try await Task.sleep(for: .milliseconds(milliseconds))
        try await node.stop(SIGTERM)
        try await node.start()
        #expect(try await node.running("single").first.restarts == 0)
        #expect(try await eventually("its first line") { TestFiles.read("\(node.share)/runs") } == "run\n", "it ran once")
        try await eventually("its sandbox and its container, and no other") { try await node.machine.containers().count == 2 }
      }
    }

    @Test func podsOutliveARestartOfContainerd() async throws {
      try await withService { node, service in
        let tasks = try await node.machine.tasks()
        let prober = try Prober(service.clusterIP, 80, in: node.machine.node)
        try await node.machine.stopContainerd()
        try await node.event("ContainerRuntimeNotReady")
        // Wanted while there is no runtime: started when there is one.
        try node.put("c.yaml", Manifests.web("web-c", app: "late"))
        #expect(try await node.pod("web-a")?.isReady == true, "a runtime that is away says nothing about its pods")
        try await node.machine.startContainerd()
        try await node.event("ContainerRuntimeReady")
        try await prober.more(20)
        let late = try await node.running("web-c")
        try await eventually("its page") { try await node.get(late.address, 8080).text == "hello from web-c" }
        let replies = try await prober.stop()
        #expect(replies.filter { $0.text == nil } == [], "of \(replies.count) connections")
        let after = try await node.machine.tasks()
        #expect(tasks.allSatisfy { after[$0.key] == $0.value }, "same containers, same processes")
        #expect(try await node.pods().allSatisfy { $0.containers.allSatisfy { $0.restarts == 0 } })
      }
    }

    @Test func aDaemonStartedBeforeItsRuntimeWaitsForIt() async throws {
      try await Node.with(manifests: ["a.yaml": Manifests.pod("early", script: Manifests.forever)]) { node in
        try await node.running("early")
        try await node.stop()
        try await node.machine.stopContainerd()
        try await node.start()
        try await node.event("ContainerRuntimeNotReady")
        try await node.machine.startContainerd()
        let pod = try await node.running("early")
        #expect(pod.first.restarts == 0)
      }
    }

    /// Before the first load of the Service rules, for which it waits.
    @Test func aDaemonThatWaitsForItsRuntimeEndsWhenAsked() async throws {
      try await Node.with(manifests: ["a.yaml": Manifests.pod("early", script: Manifests.forever)]) { node in
        try await node.running("early")
        try await node.stop()
        try await node.machine.stopContainerd()
        try await node.start()
        try await node.event("ContainerRuntimeNotReady")
        try await node.stop()
        try await node.machine.startContainerd()
        try await node.start()
        try await node.running("early")
      }
    }

    /// Stopped while its backends are loaded it must not look as if they had killed it.
    @Test func aDaemonStoppedAtAnyMomentOfItsStartStartsAgain() async throws {
      try await Node.with { node in
        try await node.stop()
        for milliseconds in stride(from: 0, through: 60, by: 5) {
          try node.launch()
          // The offset is what is tried here.
          try await Task.sleep(for: .milliseconds(milliseconds))
          let daemon = try #require(node.daemon)
          daemon.signal(SIGTERM)
          let exit = try await daemon.wait(within: .seconds(30))
          // Before it catches signals it simply dies of it.
          #expect(exit == .code(0) || exit == .signal(SIGTERM), "after \(milliseconds) ms")
          #expect(TestFiles.list("\(node.rootDirectory)/loading") == [], "after \(milliseconds) ms")
        }
        try await node.start()
        #expect(!node.log.contains("died while loading"))
      }
    }

    @Test func aContainerThatEndedWhileTheDaemonWasDownIsRestarted() async throws {
      try await Node.with(manifests: ["a.yaml": Manifests.pod("mortal", script: Manifests.forever)]) { node in
        let before = try await node.running("mortal")
        let process = try #require(try await node.machine.tasks()[before.first.id])
        try await node.stop(SIGKILL)
        kill(process, SIGKILL)
        try await node.start()
        let after = try await node.pod("mortal", "restarted") { $0.isReady && $0.first.restarts == 1 }
        #expect(after.uid == before.uid)
      }
    }

    /// Its pause process gone, the pod's network is gone: everything starts anew in a new sandbox.
    @Test func aPodWhoseSandboxDiedGetsANewOne() async throws {
      try await Node.with(manifests: ["a.yaml": Manifests.web("web-a"), "service.yaml": Manifests.service()]) { node in
        let before = try await node.running("web-a")
        let sandbox = try #require(try await node.machine.tasks().first { $0.key != before.first.id })
        // Until it is told to, the runtime does not take the network of a dead sandbox down.
        let old = before.address
        kill(sandbox.value, SIGKILL)
        let after = try await node.pod("web-a", "running in a new sandbox") { $0.isReady && $0.first.id != before.first.id }
        #expect(after.uid == before.uid)
        let service = try #require(try await node.service("web"))
        try await eventually("an answer at the Service") {
          try await node.get(service.clusterIP, 80, patience: 5).text == "hello from web-a"
        }
        #expect(after.address != old)
        #expect(try await Tool.must(["ip", "-4", "route", "show", old], in: node.machine.node) == "", "the old network is gone")
      }
    }
  }
}
