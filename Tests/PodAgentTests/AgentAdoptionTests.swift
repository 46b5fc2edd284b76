import CRI
import CRITesting
import KubeModel
import PodAgent
import SwiftProtobuf
import Testing

/// A daemon that starts where another one ran.
@Suite(.timeLimit(.minutes(2))) struct AgentAdoptionTests {
  private let node: Node

  init() throws { node = try Node() }

  private func run(_ pods: [ManagedPod]) async throws {
    await node.want(pods)
    await node.start()
    for pod in pods { try await node.becomesReady(pod.name) }
    await node.stop()
    node.journal.clear()
  }

  /// Calls that change the runtime.
  private var changes: [String] { node.journal.lines.filter { !$0.hasPrefix("cgroup") } }

  @Test func nothingIsRestartedAndNothingMadeTwice() async throws {
    try await run([.simple("a"), .simple("b")])
    let before = await node.runtime.containers.keys.sorted()
    await node.start()
    try await node.becomesReady("a", "b")
    try await node.relists(3)
    #expect(changes.isEmpty)
    #expect(await node.runtime.containers.keys.sorted() == before)
    #expect(await node.agent.isSettled)
    await node.stop()
  }

  @Test func whatExitedMeanwhileIsRestarted() async throws {
    try await run([.simple("web")])
    let container = try #require(await node.runtime.container(named: "default/web/main"))
    await node.runtime.exit(container: container.id, code: 1)
    await node.start()
    try await node.becomesReady("web")
    #expect(changes == ["CreateContainer default/web/main", "StartContainer default/web/main"])
    #expect(await node.status("web")?.restartCount == 1)
    await node.stop()
  }

  @Test func anOrphanIsStoppedWithItsOwnGracePeriodButNotBeforeTheManifestsAreRead() async throws {
    var spec = PodSpec(containers: [Container(name: "main", image: "web:1")])
    spec.terminationGracePeriodSeconds = 3
    try await run([.make("old", spec)])
    await node.want([])
    await node.start(tell: false)
    try await node.relists(5)
    #expect(changes.isEmpty)
    #expect(await !node.agent.isSettled)
    await node.want([])
    try await node.becomesEmpty()
    #expect(changes.prefix(2) == ["drain default/old", "StopContainer default/old/main 3"])
    #expect(try Files.list("\(node.directory.path)/logs").isEmpty)
    await node.stop()
  }

  @Test func anOrphanWhoseManifestCannotBeReadIsLeftAlone() async throws {
    try await run([.simple("broken", file: "broken.yaml"), .simple("gone", file: "gone.yaml")])
    await node.want([], brokenFiles: ["broken.yaml"])
    await node.start()
    try await node.eventually("the other one is gone") { [node] in await node.running() == ["default/broken/main"] }
    try await node.relists(3)
    #expect(await node.running() == ["default/broken/main"])
    await node.want([.simple("broken", file: "broken.yaml")])
    try await node.becomesReady("broken")
    #expect(node.journal.count("StartContainer default/broken/main") == 0)
    await node.stop()
  }

  @Test func aPodWhoseFileBreaksWhileItRunsIsLeftAloneUntilAnotherFileHasItsName() async throws {
    await node.want([.simple("web", file: "a.yaml")])
    await node.start()
    try await node.becomesReady("web")
    await node.want([], brokenFiles: ["a.yaml"])
    try await node.relists(3)
    #expect(await node.running() == ["default/web/main"])
    let moved = ManagedPod.simple("web", version: "2", file: "b.yaml")
    await node.want([moved], brokenFiles: ["a.yaml"])
    try await node.eventually("replaced") { [node] in
      let pods = await node.agent.pods()
      return pods.map(\.pod.uid) == [moved.uid] && pods.first?.status.isReady == true
    }
    await node.stop()
  }

  @Test func aChangeMadeWhileTheDaemonWasDownReplacesThePod() async throws {
    try await run([.simple("web")])
    let next = ManagedPod.simple("web", version: "2")
    await node.want([next])
    await node.start()
    try await node.eventually("replaced") { [node] in
      let pods = await node.agent.pods()
      return pods.map(\.pod.uid) == [next.uid] && pods.first?.status.isReady == true
    }
    #expect(await node.runtime.sandboxes.values.map { $0.config.metadata.uid } == [next.uid])
    await node.stop()
  }

  @Test func sandboxesOfOthersAreNeverTouched() async throws {
    let foreign = CRIPodSandboxConfig.with {
      $0.metadata = .with {
        $0.name = "etcd"
        $0.namespace = "kube-system"
        $0.uid = "foreign"
      }
      $0.labels = [PodLabels.podName: "etcd", PodLabels.podNamespace: "kube-system", PodLabels.podUID: "foreign"]
    }
    var otherNode = foreign
    otherNode.metadata.uid = "elsewhere"
    otherNode.labels[PodLabels.podUID] = "elsewhere"
    otherNode.labels[PodLabels.node] = "another"
    _ = try await node.runtime.runPodSandbox(foreign)
    let second = try await node.runtime.runPodSandbox(otherNode)
    await node.want([])
    await node.start()
    try await node.relists(3)
    await node.runtime.kill(sandbox: second)
    try await node.relists(3)
    #expect(changes.isEmpty)
    #expect(await node.runtime.sandboxes.count == 2)
    await node.stop()
  }

  @Test func aSandboxThatAnEarlierDaemonHadAskedForIsStoppedWhenItAppearsLate() async throws {
    try await run([.simple("web")])
    let config = try #require(await node.runtime.sandbox(named: "default/web")).config
    await node.want([])
    await node.start()
    try await node.becomesEmpty()
    _ = try await node.runtime.runPodSandbox(config)
    try await node.becomesEmpty()
    await node.stop()
  }

  @Test func filesOfAPodThatIsGoneAreRemoved() async throws {
    let root = node.directory.path
    try Files.makeDirectories("\(root)/root/pods/0123/volumes")
    try Files.makeDirectories("\(root)/logs/default_web_0123/main")
    try Files.makeDirectories("\(root)/logs/default_other_4567/main")
    await node.want([])
    await node.start()
    try await node.eventually("cleared away") { (try? Files.list("\(root)/root/pods")) == [] }
    try await node.becomesEmpty()
    #expect(try Files.list("\(root)/logs") == ["default_other_4567"])
    #expect(node.journal.count("cgroup remove kubepods/burstable/pod0123") == 1)
    await node.stop()
  }

  @Test func aRuntimeThatIsNotUpYetIsWaitedForAndSaidSo() async throws {
    await node.runtime.goDown()
    await node.want([.simple("web")])
    await node.start()
    try await node.eventually("told") { [node] in await !node.recorded("ContainerRuntimeNotReady").isEmpty }
    #expect(await node.agent.runtimeHealth().error?.contains("down") == true)
    await node.runtime.comeBack()
    try await node.becomesReady("web")
    try await node.eventually("told") { [node] in await node.recorded("ContainerRuntimeReady").count == 1 }
    #expect(await node.recorded("ContainerRuntimeNotReady").count == 1)
    await node.stop()
  }

  @Test func aPodWhoseFirstLookFailedDoesNotCountAsKnown() async throws {
    try await run([.simple("web")])
    await node.runtime.inject(.error(.unknown, "shim is busy"), on: "ListContainers", times: nil)
    await node.start()
    try await node.eventually("told") { [node] in await node.status("web")?.problem?.reason == "RuntimeUnavailable" }
    #expect(await !node.agent.isSettled)
    await node.runtime.clearFaults()
    try await node.becomesReady("web")
    #expect(await node.agent.isSettled)
    await node.stop()
  }
}
