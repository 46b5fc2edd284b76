import CRI
import KubeModel
import Logging
import PodAgent
import Testing
import swiftlet

/// A pod in `-o json`.
struct PodTreeTests {
  private static let manifest = """
    apiVersion: v1
    kind: Pod
    metadata: {name: web, labels: {app: web}, annotations: {note: "yes"}}
    spec:
      initContainers: [{name: prepare, image: tool}]
      containers: [{name: server, image: "nginx:1"}]
    """

  /// The pod and the status the agent starts with; what a test is about is then set.
  private func podAndStatus() async throws -> (pod: ManagedPod, status: PodStatus) {
    guard case .pod(let pod)? = ManifestDecoder.decode(Array(Self.manifest.utf8), file: "/m/web.yaml").objects.first else {
      throw Failure("the manifest is not taken")
    }
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    let runtime = try CRIClient(runtimeEndpoint: "unix:///nobody/listens.sock", logger: logger)
    defer { runtime.close() }
    let agent = PodAgent(
      configuration: .init(node: NodeFacts(nodeName: "node"), tree: CgroupTree()), runtime: runtime, images: runtime, cgroups: nil,
      hooks: .init(now: { 1_700_000_000_000_000_000 }), logger: logger)
    await agent.setPods([ManagedPod(pod: pod, uid: "uid-1")], brokenFiles: [])
    guard let first = await agent.pods().first else { throw Failure("the agent knows no pod") }
    return first
  }

  private func status(_ tree: TreeValue) throws -> String {
    guard case .object(let object) = tree, let status = object["status"] else { throw Failure("no status") }
    return JSONEmitter(pretty: true).text(status)
  }

  @Test func metadataNamesTheManifestAndTheSpecIsTheWrittenOne() async throws {
    let (pod, status) = try await podAndStatus()
    guard case .object(var object) = PodTree.tree(pod, status) else { throw Failure("no object") }
    object["status"] = nil
    #expect(
      JSONEmitter().text(.object(object)) == #"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web","namespace":"default","#
        + #""uid":"uid-1","creationTimestamp":"2023-11-14T22:13:20Z","labels":{"app":"web"},"annotations":{"note":"yes","#
        + "\"\(PodAnnotations.manifest)\":\"/m/web.yaml\"}},"
        + #""spec":{"containers":[{"image":"nginx:1","name":"server"}],"initContainers":[{"image":"tool","name":"prepare"}]}}"#)
  }

  @Test func theStatusOfARunningPodIsUpstreams() async throws {
    var (pod, status) = try await podAndStatus()
    status.phase = .running
    status.addresses = [ip("10.1.0.2"), ip("fd01::2")]
    status.isInitialized = true
    status.isReady = true
    status.problem = nil
    status.step = nil
    let end = PodStatus.Container.State.terminated(
      exitCode: 0, reason: "Completed", message: "", startedAt: 1_700_000_000_000_000_000, finishedAt: 1_700_000_001_000_000_000)
    status.containers[0].state = end
    status.containers[0].isReady = true
    status.containers[1].state = .running(startedAt: 1_700_000_002_000_000_000)
    status.containers[1].lastTermination = .terminated(
      exitCode: 137, reason: "OOMKilled", message: "too much", startedAt: 0, finishedAt: 1_000_000_000)
    status.containers[1].isReady = true
    status.containers[1].restartCount = 1
    status.containers[1].imageRef = "sha256:1"
    status.containers[1].id = "containerd://1"
    let text = try self.status(PodTree.tree(pod, status))
    #expect(
      text == """
        {
          "phase": "Running",
          "qosClass": "BestEffort",
          "startTime": "2023-11-14T22:13:20Z",
          "conditions": [
            {
              "type": "Initialized",
              "status": "True"
            },
            {
              "type": "ContainersReady",
              "status": "True"
            },
            {
              "type": "Ready",
              "status": "True"
            }
          ],
          "podIP": "10.1.0.2",
          "podIPs": [
            {
              "ip": "10.1.0.2"
            },
            {
              "ip": "fd01::2"
            }
          ],
          "initContainerStatuses": [
            {
              "name": "prepare",
              "image": "tool",
              "imageID": "",
              "ready": true,
              "restartCount": 0,
              "state": {
                "terminated": {
                  "exitCode": 0,
                  "reason": "Completed",
                  "startedAt": "2023-11-14T22:13:20Z",
                  "finishedAt": "2023-11-14T22:13:21Z"
                }
              }
            }
          ],
          "containerStatuses": [
            {
              "name": "server",
              "image": "nginx:1",
              "imageID": "sha256:1",
              "containerID": "containerd://1",
              "ready": true,
              "restartCount": 1,
              "state": {
                "running": {
                  "startedAt": "2023-11-14T22:13:22Z"
                }
              },
              "lastState": {
                "terminated": {
                  "exitCode": 137,
                  "reason": "OOMKilled",
                  "message": "too much",
                  "startedAt": "1970-01-01T00:00:00Z",
                  "finishedAt": "1970-01-01T00:00:01Z"
                }
              }
            }
          ]
        }
        """)
  }

  @Test func troubleStandsInTheStatus() async throws {
    var (pod, status) = try await podAndStatus()
    status.problem = .init(reason: "FailedCreatePodSandBox", message: "no network")
    status.isTerminating = true
    status.step = .init(name: "StopPodSandbox", since: 1_700_000_000_000_000_000)
    status.containers[1].state = .waiting(reason: "ErrImagePull", message: "not found")
    let text = JSONEmitter().text(PodTree.list([(pod, status)]))
    #expect(text.hasPrefix(#"{"apiVersion":"v1","kind":"PodList","items":[{"#))
    #expect(text.contains(#""reason":"FailedCreatePodSandBox","message":"no network","terminating":true"#))
    #expect(text.contains(#""step":{"name":"StopPodSandbox","since":"2023-11-14T22:13:20Z"}"#))
    #expect(text.contains(#""state":{"waiting":{"reason":"ErrImagePull","message":"not found"}}"#))
    #expect(text.contains(#"{"type":"ContainersReady","status":"False"}"#))
    #expect(!text.contains("podIP"))
  }
}
