import CRI
import CRITesting
import KubeModel
import PodAgent
import SwiftProtobuf
import Testing

/// The daemon is killed at every call it makes, before and after the work is done; the next one must bring everything to
/// the same end.
@Suite(.timeLimit(.minutes(4))) struct AgentKillTests {
  private func pod(_ version: String = "1") -> ManagedPod {
    .make(
      "web", version: version,
      PodSpec(
        containers: ["main", "side"].map { Container(name: $0, image: "web:1") },
        initContainers: [Container(name: "first", image: "web:1")],
        volumes: [Volume(name: "data", source: .emptyDir(EmptyDirVolumeSource()))]))
  }

  private func makeNode() async throws -> Node {
    let node = try Node(images: [], registry: ["web:1"])
    await node.runtime.setBehaviour(.exits(0), ofContainersNamed: "first")
    return node
  }

  private func expectOneOfEach(_ node: Node, _ call: Int) async {
    #expect(await node.running() == ["default/web/main", "default/web/side"], "killed at call \(call)")
    #expect(await node.readySandboxes() == ["default/web"], "killed at call \(call)")
    #expect(await node.runtime.sandboxes.count == 1, "killed at call \(call)")
    #expect(await node.runtime.containers.count == 3, "killed at call \(call)")
    // The runtime saw each container start once: what ran was not begun again.
    let starts = await node.runtime.journal.filter { $0.hasPrefix("StartContainer") }.sorted()
    #expect(starts == ["first", "main", "side"].map { "StartContainer default/web/\($0)" }, "killed at call \(call)")
  }

  @Test(arguments: Wire.Moment.allCases) func onTheWayUp(_ moment: Wire.Moment) async throws {
    var call = 0
    var wasCut = true
    while wasCut {
      call += 1
      let node = try await makeNode()
      await node.want([pod()])
      await node.start(cutAt: (call, moment))
      try await node.eventually("killed or ready") {
        let isCut = await node.wire.isCut
        let isReady = await node.isReady("web")
        return isCut || isReady
      }
      wasCut = await node.wire.isCut
      await node.stop()
      guard wasCut else { break }
      await node.start()
      try await node.becomesReady("web")
      try await node.relists(2)
      await expectOneOfEach(node, call)
      await node.stop()
    }
    #expect(call > 12)
  }

  @Test(arguments: Wire.Moment.allCases) func onTheWayDown(_ moment: Wire.Moment) async throws {
    var call = 0
    var wasCut = true
    while wasCut {
      call += 1
      let node = try await makeNode()
      await node.want([pod()])
      await node.start()
      try await node.becomesReady("web")
      await node.stop()
      await node.want([])
      await node.start(cutAt: (call, moment))
      try await node.eventually("killed or gone") {
        let isCut = await node.wire.isCut
        let isGone = await node.agent.pods().isEmpty
        let sandboxes = await node.runtime.sandboxes.count
        return isCut || (isGone && sandboxes == 0)
      }
      wasCut = await node.wire.isCut
      await node.stop()
      guard wasCut else { break }
      await node.start()
      try await node.becomesEmpty()
      #expect(await node.runtime.containers.isEmpty, "killed at call \(call)")
      try await node.eventually("no files left, killed at call \(call)") {
        (try? Files.list("\(node.directory.path)/root/pods")) == [] && (try? Files.list("\(node.directory.path)/logs")) == []
      }
      let groups = await node.cgroups.groups.keys.sorted()
      #expect(groups == ["kubepods", "kubepods/besteffort", "kubepods/burstable"], "killed at call \(call)")
      await node.stop()
    }
    #expect(call > 6)
  }

  @Test(arguments: Wire.Moment.allCases) func whileAPodIsReplaced(_ moment: Wire.Moment) async throws {
    var call = 0
    var wasCut = true
    while wasCut {
      call += 1
      let node = try await makeNode()
      await node.want([pod()])
      await node.start()
      try await node.becomesReady("web")
      await node.stop()
      let next = pod("2")
      await node.want([next])
      await node.start(cutAt: (call, moment))
      let isReplaced: @Sendable () async -> Bool = {
        let pods = await node.agent.pods()
        let uids = await node.runtime.sandboxes.values.map { $0.config.metadata.uid }
        return pods.map(\.pod.uid) == [next.uid] && pods.first?.status.isReady == true && uids == [next.uid]
      }
      try await node.eventually("killed or replaced") {
        if await node.wire.isCut { return true }
        return await isReplaced()
      }
      wasCut = await node.wire.isCut
      await node.stop()
      guard wasCut else { break }
      await node.start()
      try await node.eventually("replaced, killed at call \(call)") { await isReplaced() }
      #expect(await node.running() == ["default/web/main", "default/web/side"], "killed at call \(call)")
      await node.stop()
    }
    #expect(call > 15)
  }
}
