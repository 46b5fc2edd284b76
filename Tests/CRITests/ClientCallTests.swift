import CRI
import CRITesting
import SwiftProtobuf
import Testing

/// Every call, over a real socket, to a fake runtime and back.
@Suite(.timeLimit(.minutes(5))) struct ClientCallTests {
  static let pod = CRIPodSandboxConfig.with {
    $0.metadata = .with {
      $0.name = "web-0"
      $0.namespace = "default"
      $0.uid = "3c1a"
      $0.attempt = 2
    }
    $0.hostname = "web-0"
    $0.logDirectory = "/var/log/pods/default_web-0_3c1a"
    $0.labels = ["app": "web"]
    $0.annotations = ["source": "file"]
    $0.dnsConfig.servers = ["10.96.0.10"]
    $0.portMappings = [
      .with {
        $0.protocol = .sctp
        $0.containerPort = 80
        $0.hostPort = 8080
      }
    ]
    $0.linux.cgroupParent = "/kubepods/burstable/pod3c1a"
    $0.linux.sysctls = ["net.core.somaxconn": "1024"]
  }

  static let container = CRIContainerConfig.with {
    $0.metadata = .with {
      $0.name = "nginx"
      $0.attempt = 1
    }
    $0.image.image = "web:1"
    $0.command = ["/bin/sh", "-c"]
    $0.args = ["exec nginx"]
    $0.envs = [
      .with {
        $0.key = "GREETING"
        $0.value = "grüß dich"
      }
    ]
    $0.mounts = [
      .with {
        $0.containerPath = "/data"
        $0.hostPath = "/var/data"
        $0.readonly = true
        $0.propagation = .hostToContainer
      }
    ]
    $0.labels = ["app": "web"]
    $0.logPath = "nginx/0.log"
    $0.linux.resources.cpuShares = 102
    $0.linux.resources.oomScoreAdj = -997
    $0.linux.securityContext.runAsUser = .with { $0.value = 0 }
    $0.linux.securityContext.capabilities.dropCapabilities = ["ALL"]
    $0.linux.securityContext.seccomp.profileType = .localhost
  }

  @Test func aPodsLifeFromEndToEnd() async throws {
    try await Socket.serving(FakeRuntime(images: ["web:1"])) { client, runtime in
      let sandbox = try await client.runPodSandbox(Self.pod)
      #expect(sandbox.count == 64)
      let id = try await client.createContainer(inSandbox: sandbox, config: Self.container, sandboxConfig: Self.pod)
      // All of both configs arrived, as they were.
      #expect(await runtime.sandboxes[sandbox]?.config == Self.pod)
      #expect(await runtime.containers[id]?.config == Self.container)
      try await client.startContainer(id)

      let status = try await client.containerStatus(id)
      #expect(status.state == .running)
      #expect(status.logPath == "/var/log/pods/default_web-0_3c1a/nginx/0.log")
      #expect(status.startedAt > status.createdAt)
      #expect(try await client.podSandboxStatus(sandbox).network.ip == "10.88.0.2")

      try await client.reopenContainerLog(id)
      try await client.updateContainerResources(id, .with { $0.cpuShares = 512 })
      #expect(await runtime.containers[id]?.resources.cpuShares == 512)

      try await client.stopContainer(id, gracePeriod: .milliseconds(1500))
      let stopped = try await client.containerStatus(id)
      #expect(stopped.state == .exited)
      #expect(stopped.exitCode == 143)
      try await client.removeContainer(id)
      try await client.stopPodSandbox(sandbox)
      #expect(try await client.podSandboxStatus(sandbox).state == .notReady)
      try await client.removePodSandbox(sandbox)
      #expect(try await client.relist() == RelistSnapshot())
      #expect(
        await runtime.journal == [
          "RunPodSandbox default/web-0", "CreateContainer default/web-0/nginx", "StartContainer default/web-0/nginx",
          "ReopenContainerLog default/web-0/nginx", "UpdateContainerResources default/web-0/nginx",
          // Half a second more is a second more: never less than was asked for.
          "StopContainer default/web-0/nginx 2", "RemoveContainer default/web-0/nginx", "StopPodSandbox default/web-0",
          "RemovePodSandbox default/web-0",
        ])
    }
  }

  @Test func relistIsSortedAndHoldsWhatChanges() async throws {
    try await Socket.serving(FakeRuntime(images: ["web:1"])) { client, runtime in
      var ids: [String] = []
      for index in 0..<20 {
        var pod = Self.pod
        pod.metadata.name = "web-\(index)"
        let sandbox = try await client.runPodSandbox(pod)
        ids.append(try await client.createContainer(inSandbox: sandbox, config: Self.container, sandboxConfig: pod))
      }
      try await client.startContainer(ids[0])
      let first = try await client.relist()
      #expect(first.sandboxes.count == 20)
      #expect(first.containers.map(\.id) == ids)
      #expect(first.containers.map(\.state) == [.running] + Array(repeating: .created, count: 19))
      #expect(first.containers[0].sandboxID == first.sandboxes[0].id)
      #expect(first.sandboxes.allSatisfy { $0.state == .ready && $0.createdAt > 0 })
      #expect(try await client.relist() == first)
      await runtime.exit(container: ids[0], code: 1)
      let second = try await client.relist()
      #expect(second != first)
      #expect(second.containers[0].state == .exited)
    }
  }

  @Test func filtersReachTheRuntime() async throws {
    try await Socket.serving(FakeRuntime(images: ["web:1"])) { client, _ in
      let one = try await client.runPodSandbox(Self.pod)
      var other = Self.pod
      other.metadata.name = "db-0"
      other.labels = ["app": "db"]
      let two = try await client.runPodSandbox(other)
      try await client.stopPodSandbox(two)
      // READY is 0 on the wire, so it must be told from "any state".
      #expect(try await client.listPodSandboxes(.with { $0.state.state = .ready }).map(\.id) == [one])
      #expect(try await client.listPodSandboxes(.with { $0.state.state = .notReady }).map(\.id) == [two])
      #expect(try await client.listPodSandboxes(.with { $0.labelSelector = ["app": "db"] }).map(\.metadata.name) == ["db-0"])
      let id = try await client.createContainer(inSandbox: one, config: Self.container, sandboxConfig: Self.pod)
      #expect(try await client.listContainers(.with { $0.podSandboxID = one }).map(\.id) == [id])
      #expect(try await client.listContainers(.with { $0.state.state = .running }).isEmpty)
      #expect(try await client.listContainers().first?.labels == ["app": "web"])
    }
  }

  @Test func execCarriesBytesAndTheExitCode() async throws {
    try await Socket.serving(FakeRuntime(images: ["web:1"])) { client, runtime in
      let sandbox = try await client.runPodSandbox(Self.pod)
      let id = try await client.createContainer(inSandbox: sandbox, config: Self.container, sandboxConfig: Self.pod)
      try await client.startContainer(id)
      await runtime.update { $0.exec = { _, _ in ExecOutcome(stdout: [0, 255, 10], stderr: [1], exitCode: -1) } }
      let outcome = try await client.execSync(id, command: ["cat", "/ready"], timeout: .seconds(1))
      #expect(outcome == ExecOutcome(stdout: [0, 255, 10], stderr: [1], exitCode: -1))
      #expect(await runtime.journal.last == "ExecSync default/web-0/nginx cat /ready")
    }
  }

  @Test func imagesArePulledListedAndRemoved() async throws {
    try await Socket.serving(FakeRuntime(registry: ["web:1"])) { client, _ in
      let web = CRIImageSpec.with { $0.image = "web:1" }
      #expect(try await client.imageStatus(web) == nil)
      let id = try await client.pullImage(web, auth: .with { $0.password = "secret" }, sandboxConfig: Self.pod, deadline: nil)
      #expect(try await client.imageStatus(id.description)?.repoTags == ["web:1"])
      #expect(try await client.listImages().map(\.id) == [id])
      #expect(try await client.listImages(.with { $0.image.image = "other" }).isEmpty)
      try await client.removeImage(web)
      #expect(try await client.listImages().isEmpty)
      #expect(try await client.imageFsInfo() == CRIImageFsInfoResponse())
    }
  }

  @Test func theNodesStateIsAnswered() async throws {
    try await Socket.serving { client, runtime in
      await runtime.update { $0.conditions = [.met("RuntimeReady"), .unmet("NetworkReady", reason: "NetworkPluginNotReady")] }
      let status = try await client.status()
      #expect(status.status.conditions.map(\.status) == [true, false])
      #expect(try await client.runtimeConfig().linux.cgroupDriver == .cgroupfs)
    }
  }

  @Test func aReplyOfFiveMegabytesIsTaken() async throws {
    try await Socket.serving { client, runtime in
      var pod = Self.pod
      pod.annotations["large"] = String(repeating: "x", count: 5 << 20)
      _ = try await runtime.runPodSandbox(pod)
      #expect(try await client.listPodSandboxes().map { $0.annotations["large"]?.utf8.count } == [5 << 20])
    }
  }

  @Test func callsRunSideBySide() async throws {
    try await Socket.serving(FakeRuntime(images: ["web:1"])) { client, runtime in
      await runtime.hold("RunPodSandbox")
      let calls = (0..<50).map { index in
        var pod = Self.pod
        pod.metadata.name = "web-\(index)"
        return Task { [pod] in try await client.runPodSandbox(pod) }
      }
      await runtime.wait { $0.calls["RunPodSandbox"] == 50 }
      // While all fifty wait, others are answered.
      #expect(try await client.version().runtimeName == "fake")
      await runtime.release("RunPodSandbox")
      var ids: Set<String> = []
      for call in calls { ids.insert(try await call.value) }
      #expect(ids.count == 50)
    }
  }
}
