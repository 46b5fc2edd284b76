import KubeModel

/// Short ways into what `swiftlet get … -o json` prints.
struct Tree: Sendable {
  let value: TreeValue?

  init(_ value: TreeValue?) { self.value = value }

  init(json text: String) throws {
    guard let document = try YAMLParser().documents(in: Array(text.utf8)).first?.get() else { throw Problem("no document in: \(text)") }
    value = TreeValue(document.root)
  }

  subscript(key: String) -> Tree { if case .object(let object)? = value { Tree(object[key]) } else { Tree(nil) } }

  var items: [Tree] { if case .array(let items)? = value { items.map { Tree($0) } } else { [] } }

  var exists: Bool { value != nil }

  var text: String {
    switch value {
    case .string(let text)?: text
    case .int(let number)?: "\(number)"
    case .bool(let flag)?: "\(flag)"
    default: ""
    }
  }

  var int: Int { if case .int(let number)? = value { Int(number) } else { 0 } }

  var isTrue: Bool { value == .bool(true) }
}

/// A pod as the daemon shows it.
struct PodView: Sendable {
  let tree: Tree

  var name: String { tree["metadata"]["name"].text }
  var uid: String { tree["metadata"]["uid"].text }
  var phase: String { tree["status"]["phase"].text }
  var address: String { tree["status"]["podIP"].text }
  var message: String { tree["status"]["message"].text }
  var isReady: Bool { tree["status"]["conditions"].items.contains { $0["type"].text == "Ready" && $0["status"].text == "True" } }
  var containers: [ContainerView] { tree["status"]["containerStatuses"].items.map { ContainerView(tree: $0) } }
  var first: ContainerView { containers.first ?? ContainerView(tree: Tree(nil)) }

  /// One line for a test's report.
  var summary: String {
    let containers = containers.map { "\($0.name) \($0.waitingReason)\($0.message) restarts \($0.restarts)" }.joined(separator: ", ")
    return "\(name) \(phase)\(isReady ? " ready" : "") \(tree["status"]["reason"].text) \(message) [\(containers)]"
  }
}

struct ContainerView: Sendable {
  let tree: Tree

  var name: String { tree["name"].text }
  var id: String { tree["containerID"].text }
  var restarts: Int { tree["restartCount"].int }
  var isRunning: Bool { tree["state"]["running"].exists }
  var waitingReason: String { tree["state"]["waiting"]["reason"].text }
  var message: String { tree["state"]["waiting"]["message"].text }
  /// Why the container before it ended, and the runtime's words for it.
  var lastReason: String { tree["lastState"]["terminated"]["reason"].text }
  var lastMessage: String { tree["lastState"]["terminated"]["message"].text }
  var exitCode: Int? { tree["state"]["terminated"].exists ? tree["state"]["terminated"]["exitCode"].int : nil }
}

struct EventView: Sendable {
  let tree: Tree

  var reason: String { tree["reason"].text }
  var message: String { tree["message"].text }
  var object: String { tree["involvedObject"]["name"].text }
}

struct ServiceView: Sendable {
  let tree: Tree

  var name: String { tree["metadata"]["name"].text }
  var clusterIP: String { tree["spec"]["clusterIP"].text }
  var nodePort: UInt16 { UInt16(clamping: tree["spec"]["ports"].items.first?["nodePort"].int ?? 0) }
  /// IPv4 addresses: a pod of two families is one endpoint of an IPv4 Service.
  var readyEndpoints: [String] {
    tree["status"]["endpoints"].items.filter { $0["ready"].isTrue }.map { $0["address"].text }.filter { !$0.contains(":") }
  }
}
