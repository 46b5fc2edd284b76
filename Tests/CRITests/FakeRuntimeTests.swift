import CRI
import CRITesting
import SwiftProtobuf
import Testing

/// The fake must refuse what real runtimes refuse, or tests built on it prove nothing.
@Suite(.timeLimit(.minutes(5))) struct FakeRuntimeTests {
  let runtime = FakeRuntime(images: ["web:1"])
  let pod = ClientCallTests.pod
  let container = ClientCallTests.container

  private func running() async throws -> (sandbox: String, container: String) {
    let sandbox = try await runtime.runPodSandbox(pod)
    let id = try await runtime.createContainer(inSandbox: sandbox, config: container, sandboxConfig: pod)
    try await runtime.startContainer(id)
    return (sandbox, id)
  }

  @Test func aSecondSandboxOfTheSameAttemptIsRefused() async throws {
    _ = try await runtime.runPodSandbox(pod)
    let error = try #require(await failure { () throws(CRIError) in try await runtime.runPodSandbox(pod) })
    #expect(error.message.contains("is reserved for"))
    var next = pod
    next.metadata.attempt += 1
    _ = try await runtime.runPodSandbox(next)
  }

  @Test func aSecondContainerOfTheSameAttemptIsRefused() async throws {
    let (sandbox, _) = try await running()
    let error = await failure { () throws(CRIError) in
      try await runtime.createContainer(inSandbox: sandbox, config: container, sandboxConfig: pod)
    }
    #expect(error?.message.contains("is reserved for") == true)
  }

  @Test func aContainerNeedsItsImageAndALivingSandbox() async throws {
    let sandbox = try await runtime.runPodSandbox(pod)
    var other = container
    other.image.image = "absent:1"
    let error = await failure { [other] () throws(CRIError) in
      try await runtime.createContainer(inSandbox: sandbox, config: other, sandboxConfig: pod)
    }
    #expect(error?.isNotFound == true)
    await runtime.kill(sandbox: sandbox)
    let dead = await failure { () throws(CRIError) in
      try await runtime.createContainer(inSandbox: sandbox, config: container, sandboxConfig: pod)
    }
    #expect(dead?.message.contains("not running") == true)
  }

  @Test func aContainerStartsOnce() async throws {
    let (_, id) = try await running()
    #expect(await failure { () throws(CRIError) in try await runtime.startContainer(id) } != nil)
    await runtime.exit(container: id, code: 3)
    #expect(await failure { () throws(CRIError) in try await runtime.startContainer(id) } != nil)
    let status = try await runtime.containerStatus(id)
    #expect(status.exitCode == 3)
    #expect(status.reason == "Error")
  }

  @Test func stoppingASandboxKillsItsContainers() async throws {
    let (sandbox, id) = try await running()
    try await runtime.stopPodSandbox(sandbox)
    #expect(try await runtime.containerStatus(id).exitCode == 137)
    try await runtime.stopPodSandbox(sandbox)
    try await runtime.removePodSandbox(sandbox)
    #expect(await failure { () throws(CRIError) in try await runtime.containerStatus(id) }?.isNotFound == true)
  }

  @Test func behavioursAreFollowed() async throws {
    await runtime.setBehaviour(.exits(7), ofContainersNamed: "nginx")
    #expect(try await runtime.containerStatus(running().container).exitCode == 7)
    await runtime.setBehaviour(.failsToStart("no such file"), ofContainersNamed: "nginx")
    var next = container
    next.metadata.attempt = 9
    let sandbox = try #require(await runtime.sandbox(named: "default/web-0")).id
    let id = try await runtime.createContainer(inSandbox: sandbox, config: next, sandboxConfig: pod)
    #expect(await failure { () throws(CRIError) in try await runtime.startContainer(id) }?.message == "no such file")
    #expect(try await runtime.containerStatus(id).reason == "StartError")
    #expect(await runtime.container(named: "default/web-0/nginx")?.id == id)
  }

  @Test func faultsHitTheCallTheyAreMeantFor() async throws {
    await runtime.inject(.error(.unknown, "boom"), on: "RunPodSandbox", object: "default/other")
    let (sandbox, id) = try await running()
    await runtime.inject(.errorAfterwards(.deadlineExceeded, "lost"), on: "StopContainer")
    #expect(await failure { () throws(CRIError) in try await runtime.stopContainer(id, gracePeriod: .zero) }?.isDeadline == true)
    #expect(try await runtime.containerStatus(id).state == .exited)
    await runtime.goDown()
    #expect(await failure { () throws(CRIError) in try await runtime.relist() }?.isUnavailable == true)
    await runtime.comeBack()
    #expect(try await runtime.relist().sandboxes.map(\.id) == [sandbox])
  }

  @Test func aHeldCallWaitsForItsRelease() async throws {
    await runtime.hold("RunPodSandbox", object: "default/web-0")
    let call = Task { [runtime, pod] in try await runtime.runPodSandbox(pod) }
    await runtime.waitForCall("RunPodSandbox default/web-0")
    #expect(try await runtime.listPodSandboxes().isEmpty)
    await runtime.release("RunPodSandbox", object: "default/web-0")
    #expect(try await runtime.podSandboxStatus(call.value).metadata == pod.metadata)
  }

  @Test func onlyWhatTheRegistryHasIsPulled() async throws {
    let image = CRIImageSpec.with { $0.image = "new:1" }
    let pull = { [runtime] () async -> CRIError? in
      await failure { () throws(CRIError) in
        try await runtime.pullImage(image, auth: nil, sandboxConfig: nil, deadline: nil)
      }
    }
    #expect(await pull()?.isNotFound == true)
    await runtime.update { $0.registry.insert("new:1") }
    #expect(await pull() == nil)
    #expect(try await runtime.imageStatus("new:1") != nil)
  }
}
