import CRI
import CRITesting
import KubeModel
import PodAgent
import SwiftProtobuf
import Testing

/// The runtime answers errors, is slow, or goes away: at every call there is.
@Suite(.timeLimit(.minutes(4))) struct AgentFaultTests {
  private static let faults: [FakeFault] = [
    .error(.unknown, "something went wrong"), .error(.unavailable, "connection refused"), .error(.deadlineExceeded, "no answer"),
    .errorAfterwards(.deadlineExceeded, "no answer"),
  ]

  private func expectOneOfEach(_ node: Node) async {
    #expect(await node.running() == ["default/web/main"])
    #expect(await node.readySandboxes() == ["default/web"])
  }

  @Test(
    arguments: [
      "RunPodSandbox", "PodSandboxStatus", "ListPodSandbox", "ListContainers", "ImageStatus", "PullImage", "CreateContainer",
      "StartContainer", "ContainerStatus",
    ], faults)
  func aPodRunsJustOnceAfterTheFaultIsGone(_ operation: String, _ fault: FakeFault) async throws {
    let node = try Node(images: [], registry: ["web:1"])
    await node.runtime.inject(fault, on: operation, times: 3)
    await node.want([.simple("web")])
    await node.start()
    try await node.becomesReady("web")
    try await node.relists(2)
    await expectOneOfEach(node)
    #expect(await node.status("web")?.problem == nil)
    await node.stop()
  }

  @Test(arguments: ["ListPodSandbox", "ListContainers", "StopContainer", "StopPodSandbox", "RemoveContainer", "RemovePodSandbox"], faults)
  func aPodIsGoneAfterTheFaultIsGone(_ operation: String, _ fault: FakeFault) async throws {
    let node = try Node()
    await node.want([.simple("web")])
    await node.start()
    try await node.becomesReady("web")
    await node.runtime.inject(fault, on: operation, times: 3)
    await node.want([])
    try await node.becomesEmpty()
    #expect(await node.runtime.containers.isEmpty)
    await node.stop()
  }

  @Test(arguments: ["create", "kill", "remove"])
  func aBusyCgroupIsTriedAgain(_ operation: String) async throws {
    let node = try Node()
    await node.want([.simple("web")])
    if operation == "create" { await node.cgroups.fail(operation, times: 5) }
    await node.start()
    try await node.becomesReady("web")
    await node.cgroups.fail(operation, times: 2)
    await node.want([])
    try await node.becomesEmpty()
    #expect(await node.cgroups.groups.keys.allSatisfy { !$0.contains("pod\(ManagedPod.simple("web").uid)") })
    await node.stop()
  }

  @Test(arguments: ["RunPodSandbox", "CreateContainer", "StartContainer"])
  func aPodThatHangsSaysWhereAndHoldsUpNoOther(_ operation: String) async throws {
    let node = try Node()
    let object = operation == "RunPodSandbox" ? "default/web" : "default/web/main"
    await node.runtime.hold(operation, object: object)
    await node.want([.simple("web"), .simple("other")])
    await node.start()
    try await node.becomesReady("other")
    try await node.eventually("says where") { await node.status("web")?.step?.name.hasPrefix(operation) == true }
    await node.want([.simple("web")])
    try await node.eventually("the other one can be removed") { await node.readySandboxes().contains("default/other") == false }
    await node.runtime.release(operation, object: object)
    try await node.becomesReady("web")
    await expectOneOfEach(node)
    await node.stop()
  }

  @Test func aStopThatHangsHoldsUpNoOther() async throws {
    let node = try Node()
    await node.want([.simple("web"), .simple("other")])
    await node.start()
    try await node.becomesReady("web", "other")
    await node.runtime.hold("StopPodSandbox", object: "default/other")
    await node.want([.simple("web")])
    try await node.eventually("says where") { await node.status("other")?.step?.name == "StopPodSandbox" }
    await node.want([.simple("web"), .simple("third")])
    try await node.becomesReady("third")
    #expect(await node.isReady("web"))
    await node.runtime.release("StopPodSandbox", object: "default/other")
    try await node.eventually("gone") { await node.status("other") == nil }
    await node.stop()
  }

  @Test func aRuntimeThatIsRestartedChangesNothing() async throws {
    let node = try Node()
    await node.want([.simple("web")])
    await node.start()
    try await node.becomesReady("web")
    node.journal.clear()
    await node.runtime.goDown()
    try await node.relists(5)
    #expect(await node.agent.runtimeHealth().error != nil)
    #expect(await node.isReady("web"))
    await node.runtime.comeBack()
    try await node.relists(3)
    #expect(await node.agent.runtimeHealth().error == nil)
    #expect(node.journal.lines.isEmpty)
    #expect(await node.recorded("ContainerRuntimeReady").count == 1)
    await node.stop()
  }

  @Test func whatHappensWhileTheRuntimeIsAwayIsNoticedAfterwards() async throws {
    let node = try Node()
    await node.want([.simple("web")])
    await node.start()
    try await node.becomesReady("web")
    let container = try #require(await node.runtime.container(named: "default/web/main"))
    await node.runtime.goDown()
    try await node.relists(2)
    await node.runtime.exit(container: container.id, code: 1)
    await node.want([.simple("web"), .simple("new")])
    try await node.relists(2)
    await node.runtime.comeBack()
    try await node.eventually("both run") { await node.running() == ["default/new/main", "default/web/main"] }
    await node.stop()
  }

  @Test func aContainerThatCannotBeRemovedHoldsUpNothing() async throws {
    let node = try Node()
    await node.runtime.inject(.error(.unknown, "device or resource busy"), on: "RemoveContainer", times: nil)
    await node.want([.simple("web")])
    await node.start()
    for restarts in 1...4 {
      try await node.eventually("runs") {
        let isReady = await node.isReady("web")
        return isReady && node.journal.count("StartContainer default/web/main") == restarts
      }
      let container = try #require(await node.runtime.container(named: "default/web/main"))
      await node.runtime.exit(container: container.id, code: 1)
    }
    await node.runtime.clearFaults()
    try await node.eventually("only the last dead one is kept") { await node.runtime.containers.count <= 2 }
    await node.stop()
  }
}
