import SwiftProtobuf

extension CRIClient: RuntimeService {
  public func version() async throws(CRIError) -> CRIVersionResponse {
    try await call(.runtime, "Version", deadline: deadlines.probe, CRIVersionRequest())
  }

  public func status(verbose: Bool) async throws(CRIError) -> CRIStatusResponse {
    try await call(.runtime, "Status", deadline: deadlines.probe, CRIStatusRequest.with { $0.verbose = verbose })
  }

  public func runtimeConfig() async throws(CRIError) -> CRIRuntimeConfigResponse {
    try await call(.runtime, "RuntimeConfig", deadline: deadlines.probe, CRIRuntimeConfigRequest())
  }

  public func relist() async throws(CRIError) -> RelistSnapshot {
    let result = await withTaskExecutorPreference(runtime.taskExecutor) { () async -> Result<RelistSnapshot, CRIError> in
      do throws(CRIError) { return .success(try await relist(on: runtime)) } catch { return .failure(error) }
    }
    return try result.get()
  }

  /// Stays on the connection's thread from the first request to the snapshot: nobody else has to be woken in between.
  private func relist(on connection: isolated CRIConnection) async throws(CRIError) -> RelistSnapshot {
    let start = ContinuousClock.now
    let sandboxes = try await call(
      .runtime, "ListPodSandbox", deadline: deadlines.relist, CRIListPodSandboxRequest(), reply: CRIRelistSandboxes.self)
    let left = max(deadlines.relist - (ContinuousClock.now - start), .zero)
    let containers = try await call(
      .runtime, "ListContainers", deadline: left, CRIListContainersRequest(), reply: CRIRelistContainers.self)
    return RelistSnapshot(
      sandboxes: sandboxes.items.map { RelistSandbox(id: $0.id, state: $0.state, createdAt: $0.createdAt) },
      containers: containers.containers.map {
        RelistContainer(id: $0.id, sandboxID: $0.podSandboxID, state: $0.state, createdAt: $0.createdAt)
      })
  }

  // MARK: Sandboxes

  public func runPodSandbox(_ config: CRIPodSandboxConfig, runtimeHandler: String) async throws(CRIError) -> String {
    let request = CRIRunPodSandboxRequest.with {
      $0.config = config
      $0.runtimeHandler = runtimeHandler
    }
    let object = config.metadata.namespace + "/" + config.metadata.name
    let reply: CRIRunPodSandboxResponse = try await call(
      .runtime, "RunPodSandbox", object, deadline: deadlines.runPodSandbox, request)
    return try nonEmpty(reply.podSandboxID, "RunPodSandbox", object)
  }

  public func stopPodSandbox(_ id: String) async throws(CRIError) {
    let request = CRIStopPodSandboxRequest.with { $0.podSandboxID = id }
    try await ignoringNotFound { () throws(CRIError) in
      _ = try await call(.runtime, "StopPodSandbox", id, deadline: deadlines.request, request, reply: CRIStopPodSandboxResponse.self)
    }
  }

  public func removePodSandbox(_ id: String) async throws(CRIError) {
    let request = CRIRemovePodSandboxRequest.with { $0.podSandboxID = id }
    try await ignoringNotFound { () throws(CRIError) in
      _ = try await call(.runtime, "RemovePodSandbox", id, deadline: deadlines.request, request, reply: CRIRemovePodSandboxResponse.self)
    }
  }

  public func podSandboxStatus(_ id: String) async throws(CRIError) -> CRIPodSandboxStatus {
    let request = CRIPodSandboxStatusRequest.with { $0.podSandboxID = id }
    let reply: CRIPodSandboxStatusResponse = try await call(
      .runtime, "PodSandboxStatus", id, deadline: deadlines.request, request)
    guard reply.hasStatus else { throw empty("PodSandboxStatus", id) }
    return reply.status
  }

  public func listPodSandboxes(_ filter: CRIPodSandboxFilter?) async throws(CRIError) -> [CRIPodSandbox] {
    let request = CRIListPodSandboxRequest.with { if let filter { $0.filter = filter } }
    let reply: CRIListPodSandboxResponse = try await call(.runtime, "ListPodSandbox", deadline: deadlines.request, request)
    return reply.items
  }

  // MARK: Containers

  public func createContainer(
    inSandbox sandboxID: String, config: CRIContainerConfig, sandboxConfig: CRIPodSandboxConfig
  ) async throws(CRIError) -> String {
    let request = CRICreateContainerRequest.with {
      $0.podSandboxID = sandboxID
      $0.config = config
      $0.sandboxConfig = sandboxConfig
    }
    let object = "\(sandboxConfig.metadata.namespace)/\(sandboxConfig.metadata.name)/\(config.metadata.name)"
    let reply: CRICreateContainerResponse = try await call(
      .runtime, "CreateContainer", object, deadline: deadlines.request, request)
    return try nonEmpty(reply.containerID, "CreateContainer", object)
  }

  public func startContainer(_ id: String) async throws(CRIError) {
    let request = CRIStartContainerRequest.with { $0.containerID = id }
    _ = try await call(.runtime, "StartContainer", id, deadline: deadlines.request, request, reply: CRIStartContainerResponse.self)
  }

  public func stopContainer(_ id: String, gracePeriod: Duration) async throws(CRIError) {
    let request = CRIStopContainerRequest.with {
      $0.containerID = id
      $0.timeout = gracePeriod.wholeSecondsUp
    }
    let deadline = deadlines.stopContainer(gracePeriod: gracePeriod)
    try await ignoringNotFound { () throws(CRIError) in
      _ = try await call(.runtime, "StopContainer", id, deadline: deadline, request, reply: CRIStopContainerResponse.self)
    }
  }

  public func removeContainer(_ id: String) async throws(CRIError) {
    let request = CRIRemoveContainerRequest.with { $0.containerID = id }
    try await ignoringNotFound { () throws(CRIError) in
      _ = try await call(.runtime, "RemoveContainer", id, deadline: deadlines.request, request, reply: CRIRemoveContainerResponse.self)
    }
  }

  public func listContainers(_ filter: CRIContainerFilter?) async throws(CRIError) -> [CRIContainer] {
    let request = CRIListContainersRequest.with { if let filter { $0.filter = filter } }
    let reply: CRIListContainersResponse = try await call(.runtime, "ListContainers", deadline: deadlines.request, request)
    return reply.containers
  }

  public func containerStatus(_ id: String) async throws(CRIError) -> CRIContainerStatus {
    let request = CRIContainerStatusRequest.with { $0.containerID = id }
    let reply: CRIContainerStatusResponse = try await call(
      .runtime, "ContainerStatus", id, deadline: deadlines.request, request)
    guard reply.hasStatus else { throw empty("ContainerStatus", id) }
    return reply.status
  }

  public func updateContainerResources(_ id: String, _ resources: CRILinuxContainerResources) async throws(CRIError) {
    let request = CRIUpdateContainerResourcesRequest.with {
      $0.containerID = id
      $0.linux = resources
    }
    _ = try await call(
      .runtime, "UpdateContainerResources", id, deadline: deadlines.request, request,
      reply: CRIUpdateContainerResourcesResponse.self)
  }

  public func reopenContainerLog(_ id: String) async throws(CRIError) {
    let request = CRIReopenContainerLogRequest.with { $0.containerID = id }
    _ = try await call(
      .runtime, "ReopenContainerLog", id, deadline: deadlines.request, request, reply: CRIReopenContainerLogResponse.self)
  }

  public func execSync(_ id: String, command: [String], timeout: Duration) async throws(CRIError) -> ExecOutcome {
    let request = CRIExecSyncRequest.with {
      $0.containerID = id
      $0.cmd = command
      $0.timeout = timeout.wholeSecondsUp
    }
    let reply: CRIExecSyncResponse = try await call(
      .runtime, "ExecSync", id, deadline: deadlines.execSync(timeout: timeout), request)
    return ExecOutcome(stdout: [UInt8](reply.stdout), stderr: [UInt8](reply.stderr), exitCode: reply.exitCode)
  }
}

extension CRIClient {
  /// Stopping and removing what is not there is success (see `RuntimeService`).
  func ignoringNotFound(_ body: () async throws(CRIError) -> Void) async throws(CRIError) {
    do {
      try await body()
    } catch  where error.isNotFound {}
  }

  /// An id of no letters would later match everything.
  func nonEmpty(_ id: String, _ operation: String, _ object: String) throws(CRIError) -> String {
    if id.isEmpty { throw empty(operation, object) }
    return id
  }

  func empty(_ operation: String, _ object: String) -> CRIError {
    CRIError(operation: operation, object: object, code: .internalError, message: "the runtime's reply is empty")
  }
}
