import CRI
import CRITesting
import KubeModel
import PodAgent
import SwiftProtobuf
import Testing

/// Containers that end, and what comes after.
@Suite(.timeLimit(.minutes(2))) struct AgentCrashTests {
  private let node: Node
  private let start = "StartContainer default/web/main"

  init() throws { node = try Node() }

  private func crash() async throws {
    let container = try #require(await node.runtime.container(named: "default/web/main"))
    await node.runtime.exit(container: container.id, code: 1)
  }

  @Test func anExitIsNoticedByTheRelistAndTheFirstRestartComesAtOnce() async throws {
    await node.want([.simple("web")])
    await node.start()
    try await node.becomesReady("web")
    try await node.relists(2)
    try await crash()
    try await node.relists(1)
    try await eventually("restarted") { [node, start] in node.journal.count(start) == 2 }
    // Ready alone it may still be from before the exit.
    try await eventually("seen") { [node] in
      let isCounted = await node.status("web")?.restartCount == 1
      return await node.isReady("web") && isCounted
    }
    let status = try #require(await node.status("web")?.containers.first)
    #expect(status.restartCount == 1)
    guard case .terminated(let code, "Error", _, _, _)? = status.lastTermination else {
      Issue.record("\(status)")
      return
    }
    #expect(code == 1)
    await node.stop()
  }

  @Test func aCrashLoopWaitsTenSecondsThenTwenty() async throws {
    await node.want([.simple("web")])
    await node.start()
    try await node.becomesReady("web")
    try await node.relists(1)
    try await crash()
    try await node.relists(1)
    try await eventually("restarted at once") { [node, start] in node.journal.count(start) == 2 }
    try await eventually("ready") { [node] in await node.isReady("web") }
    for (restarts, wait) in [(3, 10), (4, 20)] {
      try await crash()
      try await node.relists(1)
      try await eventually("waits") { [node] in await node.waits("web") == "CrashLoopBackOff" }
      try await node.relists(wait - 2)
      #expect(node.journal.count(start) == restarts - 1)
      try await node.eventually("restarted after \(wait) s") { [node, start] in node.journal.count(start) == restarts }
      try await eventually("ready") { [node] in await node.isReady("web") }
    }
    #expect(await !node.recorded("BackOff").isEmpty)
    await node.stop()
  }

  @Test func aContainerThatDoesNotStartIsRetriedWithTheCrashBackOff() async throws {
    await node.runtime.setBehaviour(.failsToStart("exec: \"/nope\": no such file"), ofContainersNamed: "main")
    await node.want([.simple("web")])
    await node.start()
    try await node.eventually("tells why") { [node] in
      if case .waiting("RunContainerError", let message)? = await node.state("web") { message.contains("/nope") } else { false }
    }
    try await node.eventually("three tries") { [node, start] in node.journal.count(start) == 3 }
    #expect(await node.runtime.containers.count <= 2)
    await node.runtime.setBehaviour(.runs, ofContainersNamed: "main")
    try await node.becomesReady("web")
    await node.stop()
  }

  @Test func aRestartOfTheDaemonDoesNotSetOffACrashLoop() async throws {
    await node.want([.simple("web")])
    await node.start()
    try await node.becomesReady("web")
    for restarts in 2...4 {
      try await crash()
      try await node.eventually("restart") { [node, start] in
        let isReady = await node.isReady("web")
        return isReady && node.journal.count(start) == restarts
      }
    }
    try await crash()
    await node.restart()
    try await eventually("adopted and waiting") { [node] in await node.waits("web") == "CrashLoopBackOff" }
    #expect(node.journal.count(start) == 4)
    await node.stop()
  }

  @Test func aSandboxThatDiedIsReplacedWithEverythingInIt() async throws {
    await node.want([.simple("web")])
    await node.start()
    try await node.becomesReady("web")
    try await node.relists(1)
    let sandbox = try #require(await node.runtime.sandbox(named: "default/web"))
    await node.runtime.kill(sandbox: sandbox.id)
    try await node.eventually("a new one") { [node] in
      let current = await node.runtime.sandbox(named: "default/web")
      let isReady = await node.isReady("web")
      return current?.id != sandbox.id && isReady
    }
    #expect(await node.runtime.sandbox(named: "default/web")?.config.metadata.attempt == 1)
    #expect(await node.running() == ["default/web/main"])
    let lines = node.journal.lines
    let stopped = try #require(lines.firstIndex(of: "StopContainer default/web/main 30"))
    let gone = try #require(lines.firstIndex(of: "StopPodSandbox default/web"))
    let made = try #require(lines.lastIndex(of: "RunPodSandbox default/web"))
    #expect(stopped < gone && gone < made)
    await node.stop()
  }

  @Test func aSandboxSomebodyElseRemovedIsMadeAnew() async throws {
    await node.want([.simple("web")])
    await node.start()
    try await node.becomesReady("web")
    try await node.relists(1)
    let sandbox = try #require(await node.runtime.sandbox(named: "default/web"))
    try await node.runtime.removePodSandbox(sandbox.id)
    try await node.eventually("made anew") { [node] in
      let ready = await node.readySandboxes()
      let isReady = await node.isReady("web")
      return ready == ["default/web"] && isReady && node.journal.count("RunPodSandbox default/web") == 2
    }
    await node.stop()
  }

  @Test func nothingIsAskedWhileNothingChanges() async throws {
    await node.want([.simple("web")])
    await node.start()
    try await node.becomesReady("web")
    try await node.relists(2)
    node.journal.clear()
    let before = await node.runtime.calls
    try await node.relists(10)
    let after = await node.runtime.calls
    #expect(node.journal.lines.isEmpty)
    for call in ["ContainerStatus", "PodSandboxStatus", "ImageStatus"] { #expect(after[call] == before[call]) }
    // The ten relists themselves and nothing else.
    #expect((after["ListContainers"] ?? 0) - (before["ListContainers"] ?? 0) == 10)
    #expect((after["ListPodSandbox"] ?? 0) - (before["ListPodSandbox"] ?? 0) == 10)
    await node.stop()
  }
}
