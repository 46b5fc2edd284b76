import CRI
import SwiftProtobuf

/// Maps the wire's methods onto a `FakeRuntime`.
struct FakeCRIRouter {
  let runtime: FakeRuntime

  private static let runtimeService = "runtime.v1.RuntimeService"
  private static let imageService = "runtime.v1.ImageService"

  func methods() -> MethodTable {
    var table = MethodTable()
    addNode(to: &table)
    addSandboxes(to: &table)
    addContainers(to: &table)
    addImages(to: &table)
    return table
  }

  private func add<Request: Message, Reply: Message>(
    to table: inout MethodTable, _ service: String, _ method: String,
    _ body: @escaping @Sendable (FakeRuntime, Request) async throws(CRIError) -> Reply
  ) {
    table.add(service, method) { [runtime] (request: Request) throws(CRIError) in try await body(runtime, request) }
  }

  private func addNode(to table: inout MethodTable) {
    let service = Self.runtimeService
    add(to: &table, service, "Version") { (runtime, _: CRIVersionRequest) throws(CRIError) in try await runtime.version() }
    add(to: &table, service, "Status") { (runtime, request: CRIStatusRequest) throws(CRIError) in
      try await runtime.status(verbose: request.verbose)
    }
    add(to: &table, service, "RuntimeConfig") { (runtime, _: CRIRuntimeConfigRequest) throws(CRIError) in
      try await runtime.runtimeConfig()
    }
  }

  private func addSandboxes(to table: inout MethodTable) {
    let service = Self.runtimeService
    add(to: &table, service, "RunPodSandbox") { (runtime, request: CRIRunPodSandboxRequest) throws(CRIError) in
      let id = try await runtime.runPodSandbox(request.config, runtimeHandler: request.runtimeHandler)
      return CRIRunPodSandboxResponse.with { $0.podSandboxID = id }
    }
    add(to: &table, service, "StopPodSandbox") { (runtime, request: CRIStopPodSandboxRequest) throws(CRIError) in
      try await runtime.stopPodSandbox(request.podSandboxID)
      return CRIStopPodSandboxResponse()
    }
    add(to: &table, service, "RemovePodSandbox") { (runtime, request: CRIRemovePodSandboxRequest) throws(CRIError) in
      try await runtime.removePodSandbox(request.podSandboxID)
      return CRIRemovePodSandboxResponse()
    }
    add(to: &table, service, "PodSandboxStatus") { (runtime, request: CRIPodSandboxStatusRequest) throws(CRIError) in
      let status = try await runtime.podSandboxStatus(request.podSandboxID)
      return CRIPodSandboxStatusResponse.with { $0.status = status }
    }
    add(to: &table, service, "ListPodSandbox") { (runtime, request: CRIListPodSandboxRequest) throws(CRIError) in
      let items = try await runtime.listPodSandboxes(request.hasFilter ? request.filter : nil)
      return CRIListPodSandboxResponse.with { $0.items = items }
    }
  }

  private func addContainers(to table: inout MethodTable) {
    let service = Self.runtimeService
    add(to: &table, service, "CreateContainer") { (runtime, request: CRICreateContainerRequest) throws(CRIError) in
      let id = try await runtime.createContainer(
        inSandbox: request.podSandboxID, config: request.config, sandboxConfig: request.sandboxConfig)
      return CRICreateContainerResponse.with { $0.containerID = id }
    }
    add(to: &table, service, "StartContainer") { (runtime, request: CRIStartContainerRequest) throws(CRIError) in
      try await runtime.startContainer(request.containerID)
      return CRIStartContainerResponse()
    }
    add(to: &table, service, "StopContainer") { (runtime, request: CRIStopContainerRequest) throws(CRIError) in
      try await runtime.stopContainer(request.containerID, gracePeriod: .seconds(request.timeout))
      return CRIStopContainerResponse()
    }
    add(to: &table, service, "RemoveContainer") { (runtime, request: CRIRemoveContainerRequest) throws(CRIError) in
      try await runtime.removeContainer(request.containerID)
      return CRIRemoveContainerResponse()
    }
    add(to: &table, service, "ListContainers") { (runtime, request: CRIListContainersRequest) throws(CRIError) in
      let containers = try await runtime.listContainers(request.hasFilter ? request.filter : nil)
      return CRIListContainersResponse.with { $0.containers = containers }
    }
    add(to: &table, service, "ContainerStatus") { (runtime, request: CRIContainerStatusRequest) throws(CRIError) in
      let status = try await runtime.containerStatus(request.containerID)
      return CRIContainerStatusResponse.with { $0.status = status }
    }
    add(to: &table, service, "UpdateContainerResources") { (runtime, request: CRIUpdateContainerResourcesRequest) throws(CRIError) in
      try await runtime.updateContainerResources(request.containerID, request.linux)
      return CRIUpdateContainerResourcesResponse()
    }
    add(to: &table, service, "ReopenContainerLog") { (runtime, request: CRIReopenContainerLogRequest) throws(CRIError) in
      try await runtime.reopenContainerLog(request.containerID)
      return CRIReopenContainerLogResponse()
    }
    add(to: &table, service, "ExecSync") { (runtime, request: CRIExecSyncRequest) throws(CRIError) in
      let outcome = try await runtime.execSync(request.containerID, command: request.cmd, timeout: .seconds(request.timeout))
      return CRIExecSyncResponse.with {
        $0.stdout.append(contentsOf: outcome.stdout)
        $0.stderr.append(contentsOf: outcome.stderr)
        $0.exitCode = outcome.exitCode
      }
    }
  }

  private func addImages(to table: inout MethodTable) {
    let service = Self.imageService
    add(to: &table, service, "ListImages") { (runtime, request: CRIListImagesRequest) throws(CRIError) in
      let images = try await runtime.listImages(request.hasFilter ? request.filter : nil)
      return CRIListImagesResponse.with { $0.images = images }
    }
    add(to: &table, service, "ImageStatus") { (runtime, request: CRIImageStatusRequest) throws(CRIError) in
      let image = try await runtime.imageStatus(request.image)
      return CRIImageStatusResponse.with { if let image { $0.image = image } }
    }
    add(to: &table, service, "PullImage") { (runtime, request: CRIPullImageRequest) throws(CRIError) in
      let reference = try await runtime.pullImage(
        request.image, auth: request.hasAuth ? request.auth : nil,
        sandboxConfig: request.hasSandboxConfig ? request.sandboxConfig : nil, deadline: nil)
      return CRIPullImageResponse.with { $0.imageRef = reference }
    }
    add(to: &table, service, "RemoveImage") { (runtime, request: CRIRemoveImageRequest) throws(CRIError) in
      try await runtime.removeImage(request.image)
      return CRIRemoveImageResponse()
    }
    add(to: &table, service, "ImageFsInfo") { (runtime, _: CRIImageFsInfoRequest) throws(CRIError) in
      try await runtime.imageFsInfo()
    }
  }
}
