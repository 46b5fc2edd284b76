import CRI
import GRPCCore
import GRPCNIOTransportHTTP2Posix
import SwiftProtobuf

/// Maps the wire's methods onto a `FakeRuntime`.
struct FakeCRIRouter {
  let runtime: FakeRuntime

  private static let runtimeService = "runtime.v1.RuntimeService"
  private static let imageService = "runtime.v1.ImageService"

  func router() -> RPCRouter<HTTP2ServerTransport.Posix> {
    var router = RPCRouter<HTTP2ServerTransport.Posix>()
    addNode(to: &router)
    addSandboxes(to: &router)
    addContainers(to: &router)
    addImages(to: &router)
    return router
  }

  private typealias Router = RPCRouter<HTTP2ServerTransport.Posix>

  private func add<Request: Message, Reply: Message>(
    to router: inout Router, _ service: String, _ method: String,
    _ body: @escaping @Sendable (FakeRuntime, Request) async throws(CRIError) -> Reply
  ) {
    router.registerHandler(
      forMethod: MethodDescriptor(fullyQualifiedService: service, method: method, type: .unary),
      deserializer: ProtobufDeserializer<Request>(), serializer: ProtobufSerializer<Reply>()
    ) { request, _ in
      for try await message in request.messages {
        switch await answer(message, body) {
        case .success(let reply): return StreamingServerResponse(single: ServerResponse(message: reply))
        case .failure(let error):
          let code = Status.Code(rawValue: error.code.rawValue).flatMap { RPCError.Code($0) } ?? .unknown
          throw RPCError(code: code, message: error.message)
        }
      }
      throw RPCError(code: .invalidArgument, message: "no request")
    }
  }

  /// A client that gives a call up resets its stream, which gRPC tells by a callback; the work ends then, as Go's does.
  private func answer<Request: Message, Reply: Message>(
    _ request: Request, _ body: @escaping @Sendable (FakeRuntime, Request) async throws(CRIError) -> Reply
  ) async -> Result<Reply, CRIError> {
    let work = Task { () -> Result<Reply, CRIError> in
      do throws(CRIError) { return .success(try await body(runtime, request)) } catch { return .failure(error) }
    }
    return await withTaskCancellationHandler {
      await withRPCCancellationHandler {
        await work.value
      } onCancelRPC: {
        work.cancel()
      }
    } onCancel: {
      work.cancel()
    }
  }

  private func addNode(to router: inout Router) {
    let service = Self.runtimeService
    add(to: &router, service, "Version") { (runtime, _: CRIVersionRequest) throws(CRIError) in try await runtime.version() }
    add(to: &router, service, "Status") { (runtime, request: CRIStatusRequest) throws(CRIError) in
      try await runtime.status(verbose: request.verbose)
    }
    add(to: &router, service, "RuntimeConfig") { (runtime, _: CRIRuntimeConfigRequest) throws(CRIError) in
      try await runtime.runtimeConfig()
    }
  }

  private func addSandboxes(to router: inout Router) {
    let service = Self.runtimeService
    add(to: &router, service, "RunPodSandbox") { (runtime, request: CRIRunPodSandboxRequest) throws(CRIError) in
      let id = try await runtime.runPodSandbox(request.config, runtimeHandler: request.runtimeHandler)
      return CRIRunPodSandboxResponse.with { $0.podSandboxID = id }
    }
    add(to: &router, service, "StopPodSandbox") { (runtime, request: CRIStopPodSandboxRequest) throws(CRIError) in
      try await runtime.stopPodSandbox(request.podSandboxID)
      return CRIStopPodSandboxResponse()
    }
    add(to: &router, service, "RemovePodSandbox") { (runtime, request: CRIRemovePodSandboxRequest) throws(CRIError) in
      try await runtime.removePodSandbox(request.podSandboxID)
      return CRIRemovePodSandboxResponse()
    }
    add(to: &router, service, "PodSandboxStatus") { (runtime, request: CRIPodSandboxStatusRequest) throws(CRIError) in
      let status = try await runtime.podSandboxStatus(request.podSandboxID)
      return CRIPodSandboxStatusResponse.with { $0.status = status }
    }
    add(to: &router, service, "ListPodSandbox") { (runtime, request: CRIListPodSandboxRequest) throws(CRIError) in
      let items = try await runtime.listPodSandboxes(request.hasFilter ? request.filter : nil)
      return CRIListPodSandboxResponse.with { $0.items = items }
    }
  }

  private func addContainers(to router: inout Router) {
    let service = Self.runtimeService
    add(to: &router, service, "CreateContainer") { (runtime, request: CRICreateContainerRequest) throws(CRIError) in
      let id = try await runtime.createContainer(
        inSandbox: request.podSandboxID, config: request.config, sandboxConfig: request.sandboxConfig)
      return CRICreateContainerResponse.with { $0.containerID = id }
    }
    add(to: &router, service, "StartContainer") { (runtime, request: CRIStartContainerRequest) throws(CRIError) in
      try await runtime.startContainer(request.containerID)
      return CRIStartContainerResponse()
    }
    add(to: &router, service, "StopContainer") { (runtime, request: CRIStopContainerRequest) throws(CRIError) in
      try await runtime.stopContainer(request.containerID, gracePeriod: .seconds(request.timeout))
      return CRIStopContainerResponse()
    }
    add(to: &router, service, "RemoveContainer") { (runtime, request: CRIRemoveContainerRequest) throws(CRIError) in
      try await runtime.removeContainer(request.containerID)
      return CRIRemoveContainerResponse()
    }
    add(to: &router, service, "ListContainers") { (runtime, request: CRIListContainersRequest) throws(CRIError) in
      let containers = try await runtime.listContainers(request.hasFilter ? request.filter : nil)
      return CRIListContainersResponse.with { $0.containers = containers }
    }
    add(to: &router, service, "ContainerStatus") { (runtime, request: CRIContainerStatusRequest) throws(CRIError) in
      let status = try await runtime.containerStatus(request.containerID)
      return CRIContainerStatusResponse.with { $0.status = status }
    }
    add(to: &router, service, "UpdateContainerResources") { (runtime, request: CRIUpdateContainerResourcesRequest) throws(CRIError) in
      try await runtime.updateContainerResources(request.containerID, request.linux)
      return CRIUpdateContainerResourcesResponse()
    }
    add(to: &router, service, "ReopenContainerLog") { (runtime, request: CRIReopenContainerLogRequest) throws(CRIError) in
      try await runtime.reopenContainerLog(request.containerID)
      return CRIReopenContainerLogResponse()
    }
    add(to: &router, service, "ExecSync") { (runtime, request: CRIExecSyncRequest) throws(CRIError) in
      let outcome = try await runtime.execSync(request.containerID, command: request.cmd, timeout: .seconds(request.timeout))
      return CRIExecSyncResponse.with {
        $0.stdout.append(contentsOf: outcome.stdout)
        $0.stderr.append(contentsOf: outcome.stderr)
        $0.exitCode = outcome.exitCode
      }
    }
  }

  private func addImages(to router: inout Router) {
    let service = Self.imageService
    add(to: &router, service, "ListImages") { (runtime, request: CRIListImagesRequest) throws(CRIError) in
      let images = try await runtime.listImages(request.hasFilter ? request.filter : nil)
      return CRIListImagesResponse.with { $0.images = images }
    }
    add(to: &router, service, "ImageStatus") { (runtime, request: CRIImageStatusRequest) throws(CRIError) in
      let image = try await runtime.imageStatus(request.image)
      return CRIImageStatusResponse.with { if let image { $0.image = image } }
    }
    add(to: &router, service, "PullImage") { (runtime, request: CRIPullImageRequest) throws(CRIError) in
      let reference = try await runtime.pullImage(
        request.image, auth: request.hasAuth ? request.auth : nil,
        sandboxConfig: request.hasSandboxConfig ? request.sandboxConfig : nil, deadline: nil)
      return CRIPullImageResponse.with { $0.imageRef = reference }
    }
    add(to: &router, service, "RemoveImage") { (runtime, request: CRIRemoveImageRequest) throws(CRIError) in
      try await runtime.removeImage(request.image)
      return CRIRemoveImageResponse()
    }
    add(to: &router, service, "ImageFsInfo") { (runtime, _: CRIImageFsInfoRequest) throws(CRIError) in
      try await runtime.imageFsInfo()
    }
  }
}

private struct ProtobufSerializer<M: Message>: MessageSerializer {
  func serialize<Bytes: GRPCContiguousBytes>(_ message: M) throws -> Bytes {
    let bytes: [UInt8] = try message.serializedBytes()
    return Bytes(bytes)
  }
}

private struct ProtobufDeserializer<M: Message>: MessageDeserializer {
  func deserialize<Bytes: GRPCContiguousBytes>(_ bytes: Bytes) throws -> M {
    try M(serializedBytes: bytes.withUnsafeBytes { [UInt8]($0) })
  }
}
