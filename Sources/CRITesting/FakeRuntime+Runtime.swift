import CRI
import SwiftProtobuf

extension FakeRuntime: RuntimeService {
  public func version() async throws(CRIError) -> CRIVersionResponse {
    try await serve("Version") { () throws(CRIError) in
      .with {
        $0.version = "0.1.0"
        $0.runtimeName = "fake"
        $0.runtimeVersion = "v1.0.0"
        $0.runtimeApiVersion = "v1"
      }
    }
  }

  public func status(verbose: Bool) async throws(CRIError) -> CRIStatusResponse {
    try await serve("Status") { () throws(CRIError) in .with { $0.status.conditions = conditions } }
  }

  public func runtimeConfig() async throws(CRIError) -> CRIRuntimeConfigResponse {
    try await serve("RuntimeConfig") { () throws(CRIError) in .with { $0.linux.cgroupDriver = cgroupDriver } }
  }

  public func relist() async throws(CRIError) -> RelistSnapshot {
    let sandboxes = try await listPodSandboxes(nil)
    let containers = try await listContainers(nil)
    return RelistSnapshot(
      sandboxes: sandboxes.map { RelistSandbox(id: $0.id, state: $0.state, createdAt: $0.createdAt) },
      containers: containers.map {
        RelistContainer(id: $0.id, sandboxID: $0.podSandboxID, state: $0.state, createdAt: $0.createdAt)
      })
  }

  // MARK: Sandboxes

  public func runPodSandbox(_ config: CRIPodSandboxConfig, runtimeHandler: String) async throws(CRIError) -> String {
    let name = config.metadata.namespace + "/" + config.metadata.name
    return try await serve("RunPodSandbox", name, journal: name) { () throws(CRIError) in
      guard runtimeHandlers.contains(runtimeHandler) else {
        throw error("RunPodSandbox", name, .unknown, "no runtime for \"\(runtimeHandler)\" is configured")
      }
      if let other = sandboxes.values.first(where: { $0.config.metadata == config.metadata }) {
        throw error("RunPodSandbox", name, .unknown, "sandbox name of attempt \(config.metadata.attempt) is reserved for \"\(other.id)\"")
      }
      let id = nextID(.sandbox)
      let onHost = config.linux.securityContext.namespaceOptions.network == .node
      let ip = onHost ? "" : "10.88.\(sandboxes.count / 250).\(sandboxes.count % 250 + 2)"
      sandboxes[id] = FakeSandbox(id: id, config: config, runtimeHandler: runtimeHandler, ip: ip, createdAt: tick())
      return id
    }
  }

  public func stopPodSandbox(_ id: String) async throws(CRIError) {
    let name = name(ofSandbox: id)
    try await serve("StopPodSandbox", name, journal: name) { () throws(CRIError) in
      sandboxes[id]?.state = .notReady
      killContainers(ofSandbox: id)
    }
  }

  public func removePodSandbox(_ id: String) async throws(CRIError) {
    let name = name(ofSandbox: id)
    try await serve("RemovePodSandbox", name, journal: name) { () throws(CRIError) in
      sandboxes[id] = nil
      for container in containers.values where container.sandboxID == id { containers[container.id] = nil }
    }
  }

  public func podSandboxStatus(_ id: String) async throws(CRIError) -> CRIPodSandboxStatus {
    try await serve("PodSandboxStatus", name(ofSandbox: id)) { () throws(CRIError) in
      try sandbox(id, "PodSandboxStatus").status
    }
  }

  public func listPodSandboxes(_ filter: CRIPodSandboxFilter?) async throws(CRIError) -> [CRIPodSandbox] {
    try await serve("ListPodSandbox") { () throws(CRIError) in
      sandboxes.values.filter { $0.matches(filter) }.map(\.item)
    }
  }

  private func killContainers(ofSandbox id: String) {
    for container in containers.values where container.sandboxID == id && container.state == .running {
      containers[container.id]?.exit(137, at: tick())
    }
  }

  // MARK: Containers

  public func createContainer(
    inSandbox sandboxID: String, config: CRIContainerConfig, sandboxConfig: CRIPodSandboxConfig
  ) async throws(CRIError) -> String {
    let name = name(ofSandbox: sandboxID) + "/" + config.metadata.name
    return try await serve("CreateContainer", name, journal: name) { () throws(CRIError) in
      let sandbox = try sandbox(sandboxID, "CreateContainer")
      guard sandbox.state == .ready else {
        throw error("CreateContainer", name, .unknown, "sandbox container \"\(sandboxID)\" is not running")
      }
      guard let image = images.first(where: { $0.isNamed(config.image.image) }) else {
        throw error("CreateContainer", name, .notFound, "image \"\(config.image.image)\": not found")
      }
      if let other = containers.values.first(where: { $0.sandboxID == sandboxID && $0.config.metadata == config.metadata }) {
        throw error(
          "CreateContainer", name, .unknown, "container name of attempt \(config.metadata.attempt) is reserved for \"\(other.id)\"")
      }
      let id = nextID(.container)
      containers[id] = FakeContainer(
        id: id, sandboxID: sandboxID, config: config, imageID: image.id,
        logPath: config.logPath.isEmpty ? "" : sandbox.config.logDirectory + "/" + config.logPath,
        createdAt: tick(), resources: config.linux.resources)
      return id
    }
  }

  public func startContainer(_ id: String) async throws(CRIError) {
    let name = name(ofContainer: id)
    try await serve("StartContainer", name, journal: name) { () throws(CRIError) in
      let container = try container(id, "StartContainer")
      guard container.state == .created else {
        throw error("StartContainer", name, .unknown, "container is in state \(container.state), must be created")
      }
      guard sandboxes[container.sandboxID]?.state == .ready else {
        throw error("StartContainer", name, .unknown, "sandbox container \"\(container.sandboxID)\" is not running")
      }
      let behaviour = behaviours[container.config.metadata.name]
      if case .failsToStart(let message)? = behaviour {
        containers[id]?.exit(128, at: tick(), reason: "StartError", message: message)
        throw error("StartContainer", name, .unknown, message)
      }
      containers[id]?.state = .running
      containers[id]?.startedAt = tick()
      if case .exits(let code)? = behaviour { containers[id]?.exit(code, at: tick()) }
    }
  }

  public func stopContainer(_ id: String, gracePeriod: Duration) async throws(CRIError) {
    let name = name(ofContainer: id)
    let grace = max(gracePeriod.components.seconds, 0)
    try await serve("StopContainer", name, journal: "\(name) \(grace)") { () throws(CRIError) in
      guard let container = containers[id], container.state == .running else { return }
      let code: Int32 =
        switch behaviours[container.config.metadata.name] {
        case .exitsWhenStopped(let code)? where grace > 0: code
        case .ignoresStop?: 137
        default: grace > 0 ? 143 : 137
        }
      containers[id]?.exit(code, at: tick())
    }
  }

  public func removeContainer(_ id: String) async throws(CRIError) {
    let name = name(ofContainer: id)
    try await serve("RemoveContainer", name, journal: name) { () throws(CRIError) in containers[id] = nil }
  }

  public func listContainers(_ filter: CRIContainerFilter?) async throws(CRIError) -> [CRIContainer] {
    try await serve("ListContainers") { () throws(CRIError) in
      containers.values.filter { $0.matches(filter) }.map(\.item)
    }
  }

  public func containerStatus(_ id: String) async throws(CRIError) -> CRIContainerStatus {
    try await serve("ContainerStatus", name(ofContainer: id)) { () throws(CRIError) in
      try container(id, "ContainerStatus").status
    }
  }

  public func updateContainerResources(_ id: String, _ resources: CRILinuxContainerResources) async throws(CRIError) {
    let name = name(ofContainer: id)
    try await serve("UpdateContainerResources", name, journal: name) { () throws(CRIError) in
      _ = try container(id, "UpdateContainerResources")
      containers[id]?.resources = resources
    }
  }

  public func reopenContainerLog(_ id: String) async throws(CRIError) {
    let name = name(ofContainer: id)
    try await serve("ReopenContainerLog", name, journal: name) { () throws(CRIError) in
      guard try container(id, "ReopenContainerLog").state == .running else {
        throw error("ReopenContainerLog", name, .unknown, "container is not running")
      }
    }
  }

  public func execSync(_ id: String, command: [String], timeout: Duration) async throws(CRIError) -> ExecOutcome {
    let name = name(ofContainer: id)
    return try await serve("ExecSync", name, journal: ([name] + command).joined(separator: " ")) { () throws(CRIError) in
      let container = try container(id, "ExecSync")
      guard container.state == .running else {
        throw error("ExecSync", name, .unknown, "container is in state \(container.state), must be running")
      }
      return exec(container, command)
    }
  }
}
