import CRI
import CRITesting
import KubeModel
import PodAgent
import SwiftProtobuf
import Testing

/// One pod after the other on a node in memory.
@Suite(.timeLimit(.minutes(2))) struct AgentLifecycleTests {
  private let node: Node

  init() throws { node = try Node() }

  @Test func aPodTakesJustTheCallsItNeedsAndItsCgroupComesBeforeItsSandbox() async throws {
    let pod = ManagedPod.simple("web")
    await node.want([pod])
    await node.start()
    try await node.becomesReady("web")
    #expect(
      node.journal.lines.filter { !$0.hasPrefix("cgroup set") } == [
        "cgroup create kubepods", "cgroup create kubepods/burstable", "cgroup create kubepods/besteffort",
        "cgroup create kubepods/besteffort/pod\(pod.uid)", "RunPodSandbox default/web", "CreateContainer default/web/main",
        "StartContainer default/web/main",
      ])
    let calls = await node.runtime.calls
    #expect(calls["PodSandboxStatus"] == 1)
    #expect(calls["ImageStatus"] == 1)
    #expect(calls["ContainerStatus"] == 1)
    let sandbox = await node.runtime.sandbox(named: "default/web")
    #expect(sandbox?.config.linux.cgroupParent == "/kubepods/besteffort/pod\(pod.uid)")
    let status = try #require(await node.status("web"))
    #expect(status.phase == .running)
    #expect(status.addresses.map { "\($0)" } == [sandbox?.ip])
    await node.stop()
  }

  @Test func initContainersFinishOneByOneBeforeTheRest() async throws {
    await node.runtime.setBehaviour(.exits(0), ofContainersNamed: "first")
    await node.runtime.setBehaviour(.exits(0), ofContainersNamed: "second")
    let inits = ["first", "second"].map { Container(name: $0, image: "web:1") }
    await node.want([.make("web", PodSpec(containers: [Container(name: "main", image: "web:1")], initContainers: inits))])
    await node.start()
    try await node.becomesReady("web")
    #expect(
      node.journal.lines.filter { $0.hasPrefix("StartContainer") }
        == ["first", "second", "main"].map { "StartContainer default/web/\($0)" })
    #expect(await node.status("web")?.isInitialized == true)
    await node.stop()
  }

  @Test func aRemovedPodIsDrainedBeforeItsContainersAndLeavesNothing() async throws {
    let pod = ManagedPod.simple("web")
    await node.want([pod])
    await node.start()
    try await node.becomesReady("web")
    node.journal.clear()
    await node.want([])
    try await node.becomesEmpty()
    let paths = ["", "burstable/", "besteffort/"].map { "kubepods/\($0)pod\(pod.uid)" }
    #expect(
      node.journal.lines.filter { !$0.hasPrefix("cgroup set") } == [
        "drain default/web", "StopContainer default/web/main 30", "StopPodSandbox default/web", "RemoveContainer default/web/main",
        "RemovePodSandbox default/web",
      ] + paths.flatMap { ["cgroup kill \($0)", "cgroup remove \($0)"] })
    #expect(await node.cgroups.groups.keys.sorted() == ["kubepods", "kubepods/besteffort", "kubepods/burstable"])
    #expect(try Files.list("\(node.directory.path)/root/pods").isEmpty)
    #expect(try Files.list("\(node.directory.path)/logs").isEmpty)
    await node.stop()
  }

  @Test func thePodsOwnGracePeriodIsGiven() async throws {
    var spec = PodSpec(containers: [Container(name: "main", image: "web:1")])
    spec.terminationGracePeriodSeconds = 7
    await node.want([.make("web", spec)])
    await node.start()
    try await node.becomesReady("web")
    await node.want([])
    try await node.becomesEmpty()
    #expect(node.journal.count("StopContainer default/web/main 7") == 1)
    await node.stop()
  }

  @Test func aChangedManifestReplacesThePodAndTheOldOneGoesFirst() async throws {
    await node.want([.simple("web")])
    await node.start()
    try await node.becomesReady("web")
    node.journal.clear()
    let next = ManagedPod.simple("web", version: "2")
    await node.want([next])
    try await node.eventually("the new one runs") { [node] in
      let pods = await node.agent.pods()
      return pods.count == 1 && pods.first?.pod.uid == next.uid && pods.first?.status.isReady == true
    }
    let lines = node.journal.lines
    let removed = try #require(lines.firstIndex(of: "RemovePodSandbox default/web"))
    let made = try #require(lines.firstIndex(of: "RunPodSandbox default/web"))
    #expect(removed < made)
    #expect(await node.readySandboxes() == ["default/web"])
    await node.stop()
  }

  @Test func aPodTakenAwayAndPutBackRunsAgain() async throws {
    await node.want([.simple("web")])
    await node.start()
    try await node.becomesReady("web")
    await node.want([])
    await node.want([.simple("web")])
    try await node.eventually("runs anew") { [node] in
      let starts = node.journal.count("StartContainer default/web/main")
      let isReady = await node.isReady("web")
      return starts == 2 && isReady
    }
    #expect(await node.running() == ["default/web/main"])
    await node.stop()
  }

  @Test func aFinishedPodGivesItsSandboxBackAndStaysToBeSeen() async throws {
    await node.runtime.setBehaviour(.exits(0), ofContainersNamed: "main")
    var spec = PodSpec(containers: [Container(name: "main", image: "web:1")])
    spec.restartPolicy = .never
    await node.want([.make("job", spec)])
    await node.start()
    try await node.eventually("succeeded") { [node] in
      let status = await node.status("job")
      let sandboxes = await node.readySandboxes()
      return status?.phase == .succeeded && sandboxes.isEmpty
    }
    try await node.relists(5)
    #expect(node.journal.count("RunPodSandbox default/job") == 1)
    #expect(node.journal.count("StartContainer default/job/main") == 1)
    await node.stop()
  }

  /// What a client that goes away does to a start, `RestartTests` shows with a real runtime.
  @Test(arguments: ["RunPodSandbox", "CreateContainer", "StartContainer"])
  func aDaemonThatIsStoppedBringsToItsEndWhatItBegan(_ call: String) async throws {
    await node.runtime.hold(call)
    await node.want([.simple("web")])
    await node.start()
    try await node.eventually("\(call) asked for") { await node.runtime.calls[call] == 1 }
    let stopping = Task { await node.stop() }
    try await eventually("told to stop") { node.time.wakes(after: .seconds(10)) != nil }
    await node.runtime.release(call)
    await stopping.value
    await node.start()
    try await node.becomesReady("web")
    for call in ["RunPodSandbox", "CreateContainer", "StartContainer"] {
      #expect(await node.runtime.journal.count { $0.hasPrefix(call) } == 1, "\(call) once")
    }
    #expect(await node.status("web")?.containers.first?.restartCount == 0)
    await node.stop()
  }

  @Test func aCallThatHangsHoldsUpAStoppingDaemonForTenSecondsAtMost() async throws {
    await node.runtime.inject(.neverAnswers, on: "StartContainer")
    await node.want([.simple("web")])
    await node.start()
    try await node.eventually("StartContainer asked for") { await node.runtime.calls["StartContainer"] == 1 }
    let stopping = Task { await node.stop() }
    try await eventually("told to stop") { node.time.wakes(after: .seconds(10)) != nil }
    node.time.advance(by: 10_000_000_000)
    await stopping.value
    #expect(await node.runtime.givenUp == ["StartContainer"])
  }

  @Test func burstablePodsTogetherWeighWhatTheyAskFor() async throws {
    let cpu = ResourceRequirements(requests: ["cpu": Quantity(milli: 500)])
    let pods = ["a", "b"].map { ManagedPod.make($0, PodSpec(containers: [Container(name: "main", image: "web:1", resources: cpu)])) }
    await node.want(pods)
    await node.start()
    try await node.becomesReady("a", "b")
    let cgroups = node.cgroups
    try await node.eventually("1000 m") { await cgroups.groups["kubepods/burstable"]?.cpuShares == 1024 }
    await node.want([pods[0]])
    try await node.eventually("500 m") { await cgroups.groups["kubepods/burstable"]?.cpuShares == 512 }
    await node.stop()
  }
}
