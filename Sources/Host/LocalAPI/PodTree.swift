import KubeModel
import PodAgent

/// A pod as Kubernetes' API shows it, as a tree for JSON and YAML.
package enum PodTree {
  package static func list(_ pods: [(pod: ManagedPod, status: PodStatus)]) -> TreeValue {
    ["apiVersion": "v1", "kind": "PodList", "items": .array(pods.map { tree($0.pod, $0.status) })]
  }

  package static func tree(_ pod: ManagedPod, _ status: PodStatus) -> TreeValue {
    var object = TreeObject()
    object["apiVersion"] = "v1"
    object["kind"] = "Pod"
    object["metadata"] = metadata(pod, status)
    // The manifest itself is the truth about the spec: nothing of it is lost in a translation.
    if let document = try? YAMLParser().documents(in: Array(pod.pod.canonicalForm.utf8)).first?.get(),
      case .object(let written) = TreeValue(document.root), let spec = written["spec"]
    {
      object["spec"] = spec
    }
    object["status"] = self.status(status)
    return .object(object)
  }

  private static func metadata(_ pod: ManagedPod, _ status: PodStatus) -> TreeValue {
    var metadata = TreeObject()
    metadata["name"] = .string(pod.name)
    metadata["namespace"] = .string(pod.namespace)
    metadata["uid"] = .string(pod.uid)
    metadata["creationTimestamp"] = .string(Timestamp.text(status.startTime))
    if !pod.pod.metadata.labels.isEmpty { metadata["labels"] = map(pod.pod.metadata.labels) }
    var annotations = pod.pod.metadata.annotations
    if !pod.pod.source.file.isEmpty { annotations[PodAnnotations.manifest] = pod.pod.source.file }
    if !annotations.isEmpty { metadata["annotations"] = map(annotations) }
    return .object(metadata)
  }

  private static func map(_ strings: [String: String]) -> TreeValue {
    .object(TreeObject(strings.sorted { $0.key < $1.key }.map { .init(key: $0.key, value: .string($0.value)) }))
  }

  private static func status(_ status: PodStatus) -> TreeValue {
    var object = TreeObject()
    object["phase"] = .string(status.phase.rawValue)
    object["qosClass"] = .string(status.qos.rawValue)
    object["startTime"] = .string(Timestamp.text(status.startTime))
    let allReady = status.containers.allSatisfy { $0.isInit || $0.isReady }
    object["conditions"] = .array([
      condition("Initialized", status.isInitialized), condition("ContainersReady", allReady), condition("Ready", status.isReady),
    ])
    if let first = status.addresses.first {
      object["podIP"] = .string("\(first)")
      object["podIPs"] = .array(status.addresses.map { ["ip": .string("\($0)")] })
    }
    let initial = status.containers.filter(\.isInit)
    if !initial.isEmpty { object["initContainerStatuses"] = .array(initial.map(container)) }
    object["containerStatuses"] = .array(status.containers.filter { !$0.isInit }.map(container))
    if let problem = status.problem {
      object["reason"] = .string(problem.reason)
      object["message"] = .string(problem.message)
    }
    if status.isTerminating { object["terminating"] = true }
    if let step = status.step { object["step"] = ["name": .string(step.name), "since": .string(Timestamp.text(step.since))] }
    return .object(object)
  }

  private static func condition(_ type: String, _ isTrue: Bool) -> TreeValue {
    ["type": .string(type), "status": isTrue ? "True" : "False"]
  }

  private static func container(_ container: PodStatus.Container) -> TreeValue {
    var object = TreeObject()
    object["name"] = .string(container.name)
    object["image"] = .string(container.image)
    object["imageID"] = .string(container.imageRef)
    if !container.id.isEmpty { object["containerID"] = .string(container.id) }
    object["ready"] = .bool(container.isReady)
    object["restartCount"] = .int(Int64(container.restartCount))
    object["state"] = state(container.state)
    if let last = container.lastTermination { object["lastState"] = state(last) }
    return .object(object)
  }

  private static func state(_ state: PodStatus.Container.State) -> TreeValue {
    switch state {
    case .waiting(let reason, let message):
      return ["waiting": message.isEmpty ? ["reason": .string(reason)] : ["reason": .string(reason), "message": .string(message)]]
    case .running(let startedAt):
      return ["running": ["startedAt": .string(Timestamp.text(startedAt))]]
    case .terminated(let exitCode, let reason, let message, let startedAt, let finishedAt):
      var object = TreeObject()
      object["exitCode"] = .int(Int64(exitCode))
      object["reason"] = .string(reason)
      if !message.isEmpty { object["message"] = .string(message) }
      object["startedAt"] = .string(Timestamp.text(startedAt))
      object["finishedAt"] = .string(Timestamp.text(finishedAt))
      return ["terminated": .object(object)]
    }
  }
}
