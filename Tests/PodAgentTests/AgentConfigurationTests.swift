import CRI
import CRITesting
import KubeModel
import PodAgent
import SwiftProtobuf
import Testing

/// Images, ConfigMaps and volumes that are missing, and that come.
@Suite(.timeLimit(.minutes(2))) struct AgentConfigurationTests {
  private func pod(_ container: Container, volumes: [Volume] = []) -> ManagedPod {
    .make("web", PodSpec(containers: [container], volumes: volumes))
  }

  private let map = ConfigMap(metadata: ObjectMeta(name: "settings"), data: ["COLOUR": "green"])

  @Test func anImageThatCannotBePulledIsTriedAgainAfterTenAndTwentySeconds() async throws {
    let node = try Node(images: [])
    await node.want([.simple("web")])
    await node.start()
    try await eventually("failed") { await node.waits("web") == "ErrImagePull" }
    try await node.relists(8)
    #expect(node.journal.count("PullImage web:1") == 1)
    try await node.eventually("second try") { node.journal.count("PullImage web:1") == 2 }
    try await eventually("told") { await node.waits("web") == "ImagePullBackOff" }
    try await node.relists(16)
    #expect(node.journal.count("PullImage web:1") == 2)
    await node.runtime.update { $0.registry = ["web:1"] }
    try await node.becomesReady("web")
    #expect(node.journal.count("PullImage web:1") == 3)
    await node.stop()
  }

  @Test func neverPullsMeansNever() async throws {
    let node = try Node(images: [], registry: ["web:1"])
    await node.want([pod(Container(name: "main", image: "web:1", imagePullPolicy: .never))])
    await node.start()
    try await eventually("told") { await node.waits("web") == "ErrImageNeverPull" }
    #expect(node.journal.count("PullImage web:1") == 0)
    await node.runtime.addImage("web:1")
    try await node.relists(3)
    try await eventually("runs soon after the image is there") { await node.isReady("web") }
    await node.stop()
  }

  @Test func alwaysPullsThoughTheImageIsThere() async throws {
    let node = try Node(images: ["web:1"], registry: ["web:1"])
    await node.want([pod(Container(name: "main", image: "web:1", imagePullPolicy: .always))])
    await node.start()
    try await node.becomesReady("web")
    #expect(node.journal.count("PullImage web:1") == 1)
    await node.stop()
  }

  @Test func aPodThatStillPullsCanBeRemoved() async throws {
    let node = try Node(images: [])
    await node.runtime.inject(.neverAnswers, on: "PullImage", times: nil)
    await node.want([.simple("web")])
    await node.start()
    try await node.eventually("pulls") { await node.runtime.calls["PullImage"] == 1 }
    #expect(await node.status("web")?.step?.name == "image web:1")
    await node.want([])
    try await node.becomesEmpty()
    #expect(await node.runtime.givenUp == ["PullImage"])
    await node.stop()
  }

  @Test func aMissingConfigMapIsToldAndThePodStartsWhenItAppears() async throws {
    let node = try Node()
    let variable = EnvVar(name: "COLOUR", valueFrom: .configMapKeyRef(ConfigMapKeySelector(name: "settings", key: "COLOUR")))
    await node.want([pod(Container(name: "main", image: "web:1", env: [variable]))])
    await node.start()
    try await eventually("told") {
      if case .waiting("CreateContainerConfigError", let message)? = await node.state("web") {
        message.contains("default/settings")
      } else {
        false
      }
    }
    await node.configure(ConfigurationObjects(configMaps: ["default/settings": map]))
    try await eventually("starts at once, without any time going by") { await node.isReady("web") }
    let container = await node.runtime.container(named: "default/web/main")
    #expect(container?.config.envs.first { $0.key == "COLOUR" }?.value == "green")
    await node.stop()
  }

  private func withVolume() -> ManagedPod {
    pod(
      Container(name: "main", image: "web:1", volumeMounts: [VolumeMount(name: "conf", mountPath: "/conf")]),
      volumes: [Volume(name: "conf", source: .configMap(ConfigMapVolumeSource(name: "settings")))])
  }

  @Test func aConfigMapVolumeFollowsTheConfigMapWithoutARestart() async throws {
    let node = try Node()
    await node.want([withVolume()])
    await node.start()
    try await eventually("told") { await node.status("web")?.problem?.reason == "FailedMount" }
    await node.configure(ConfigurationObjects(configMaps: ["default/settings": map]))
    try await node.becomesReady("web")
    let mount = try #require(await node.runtime.container(named: "default/web/main")?.config.mounts.first { $0.containerPath == "/conf" })
    #expect(mount.readonly)
    #expect(try Files.text("\(mount.hostPath)/COLOUR") == "green")
    var changed = map
    changed.data = ["COLOUR": "blue"]
    await node.configure(ConfigurationObjects(configMaps: ["default/settings": changed]))
    try await eventually("updated") { (try? Files.text("\(mount.hostPath)/COLOUR")) == "blue" }
    #expect(node.journal.count("StartContainer default/web/main") == 1)
    await node.stop()
  }

  @Test func aConfigMapThatIsDeletedKeepsNoCrashedContainerDown() async throws {
    let node = try Node()
    await node.want([withVolume()])
    await node.configure(ConfigurationObjects(configMaps: ["default/settings": map]))
    await node.start()
    try await node.becomesReady("web")
    await node.configure(ConfigurationObjects())
    try await eventually("told") { await node.status("web")?.problem?.reason == "FailedMount" }
    let container = try #require(await node.runtime.container(named: "default/web/main"))
    await node.runtime.exit(container: container.id, code: 1)
    try await node.eventually("restarted") { node.journal.count("StartContainer default/web/main") == 2 }
    await node.stop()
  }

  @Test func hostsFileAndTerminationMessageAreMounted() async throws {
    let node = try Node()
    await node.want([.simple("web")])
    await node.start()
    try await node.becomesReady("web")
    let container = try #require(await node.runtime.container(named: "default/web/main"))
    let hosts = try #require(container.config.mounts.first { $0.containerPath == "/etc/hosts" })
    let address = try #require(await node.runtime.sandbox(named: "default/web")?.ip)
    #expect(try Files.text(hosts.hostPath).contains("\(address)\tweb"))
    let message = try #require(container.config.mounts.first { $0.containerPath == "/dev/termination-log" })
    try Files.write(message.hostPath, Array("disk is full".utf8))
    await node.runtime.exit(container: container.id, code: 2)
    try await node.eventually("told") {
      if case .terminated(2, _, "disk is full", _, _)? = await node.status("web")?.containers.first?.lastTermination { true } else { false }
    }
    await node.stop()
  }

  @Test func hostsFileIsThereThoughTheSandboxWasMadeByAnEarlierDaemon() async throws {
    let node = try Node()
    await node.runtime.inject(.errorAfterwards(.deadlineExceeded, "no answer"), on: "RunPodSandbox")
    await node.want([.simple("web")])
    await node.start()
    try await node.becomesReady("web")
    let mounts = await node.runtime.container(named: "default/web/main")?.config.mounts.map(\.containerPath)
    #expect(mounts?.contains("/etc/hosts") == true)
    await node.stop()
  }
}
