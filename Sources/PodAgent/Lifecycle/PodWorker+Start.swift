import CRI
import KubeModel

extension PodWorker {
  /// Creates and starts one container: image, environment, mounts, create, start.
  /// - Returns: whether it was created, so that the runtime holds something new.
  func start(_ name: String, isInit: Bool, attempt: UInt32, sandboxID: String) async -> Bool {
    guard let container = (isInit ? pod.pod.spec.initContainers : pod.pod.spec.containers).first(where: { $0.name == name }) else {
      return false
    }
    let now = context.now()
    guard retries.holding(name, at: now) == nil, pulls.holding(name, at: now) == nil else { return false }
    let sandboxConfig = sandboxConfig(attempt: observation.sandboxes.first?.attempt ?? 0)
    guard let image = await ensureImage(of: container, sandboxConfig), !state.isTerminating,
      let config = await configure(container, attempt: attempt, image: image, hostname: sandboxConfig.hostname)
    else { return false }
    return await toItsEnd { await self.createAndStart(config, of: container, sandboxID: sandboxID, sandboxConfig: sandboxConfig) }
  }

  /// How long what was begun may take when the daemon is asked to stop. A start takes a runtime well under a second; systemd waits 90 s.
  static let endingLimit = Duration.seconds(10)

  /// Brings to its end what was begun, also when the daemon is asked to stop in the middle of it. A runtime ends the process of a start
  /// whose client goes away (containerd 1.6 to 2.x), and a pod that is not restarted would fail by an upgrade of the daemon.
  func toItsEnd<Outcome: Sendable>(_ work: @escaping @Sendable () async -> Outcome) async -> Outcome {
    let task = Task { await work() }
    return await withTaskCancellationHandler {
      await task.value
    } onCancel: { [context] in
      Task {
        try? await context.sleep(PodWorker.endingLimit)
        task.cancel()
      }
    }
  }

  private func ensureImage(of container: Container, _ sandboxConfig: CRIPodSandboxConfig) async -> ImageEnsurer.Ready? {
    do {
      let ready = try await during("image \(container.image)") { () async throws(ImageEnsurer.Unavailable) -> ImageEnsurer.Ready in
        try await ensureUnlessStopped(container, sandboxConfig)
      }
      pulls.succeeded(container.name)
      if ready.wasPulled { await context.event(.normal, pod, "Pulled", "container \(container.name): image \(container.image) pulled") }
      return ready
    } catch {
      guard !Task.isCancelled, !state.isTerminating else { return nil }
      // Only a registry is spared: whether an image has appeared on the node costs nothing to ask.
      if error.isRuntimeDown || error.reason != "ErrImagePull" {
        pulls.succeeded(container.name)
        await failLoudly(container.name, error.reason, error.message, container: container.name)
        return nil
      }
      // Upstream's word for a pull that has failed more than once.
      let reason = pulls.failures[container.name] == nil ? error.reason : "ImagePullBackOff"
      pulls.failed(container.name, .init(reason: reason, message: error.message, container: container.name), at: context.now())
      await context.event(.warning, pod, "Failed", "container \(container.name): \(error)")
      return nil
    }
  }

  /// A pull may take an hour, so the order to stop ends it. Nothing is made by it that would be left over.
  private func ensureUnlessStopped(
    _ container: Container, _ sandboxConfig: CRIPodSandboxConfig
  ) async throws(ImageEnsurer.Unavailable) -> ImageEnsurer.Ready {
    let ensurer = ImageEnsurer(images: context.images)
    let pull = Task { () -> Result<ImageEnsurer.Ready, ImageEnsurer.Unavailable> in
      do throws(ImageEnsurer.Unavailable) {
        return .success(try await ensurer.ensure(container, for: sandboxConfig))
      } catch {
        return .failure(error)
      }
    }
    self.pull = pull
    defer { self.pull = nil }
    return try await withTaskCancellationHandler {
      await pull.value
    } onCancel: {
      pull.cancel()
    }.get()
  }

  /// Written for each container: the daemon may have been stopped between the sandbox and its containers.
  private func writeHostsFile(hostname: String) throws {
    guard !pod.pod.spec.hostNetwork else { return }
    let text = HostsFile.text(
      for: pod, hostname: hostname, addresses: observation.sandboxes.first?.addresses ?? [],
      clusterDomain: context.node.clusterDomain)
    let path = "\(context.node.podDirectory(pod.uid))/etc-hosts"
    let content = Array(text.utf8)
    // In place, because containers that run have this very file mounted.
    if (try? Files.read(path)) != content { try Files.write(path, content, mode: 0o644) }
  }

  private func configure(
    _ container: Container, attempt: UInt32, image: ImageEnsurer.Ready, hostname: String
  ) async -> CRIContainerConfig? {
    do {
      try writeHostsFile(hostname: hostname)
      let links = pod.pod.spec.enableServiceLinks ? await context.serviceLinks(pod.namespace) : []
      let environment = try EnvironmentBuilder(facts: facts, objects: objects, serviceLinks: links).environment(of: container)
      let builder = MountBuilder(
        volumes: VolumeManager(node: context.node, pod: pod), container: container, attempt: attempt)
      let mounts = try await during("mounts of \(container.name)") {
        try await BlockingCall.run("mounts of \(pod.fullName)", within: .seconds(60)) { try builder.mounts() }
      }
      let logDirectory = "\(context.node.podLogDirectory(pod))/\(container.name)"
      try Files.makeDirectories(logDirectory)
      let config = try ContainerConfigBuilder(
        pod: pod, container: container, attempt: attempt, node: context.node, tree: context.tree, environment: environment, mounts: mounts,
        imageRef: image.reference, imageUID: image.uid, imageUserName: image.userName
      ).config()
      return config
    } catch {
      await failLoudly(container.name, "CreateContainerConfigError", "\(error)", container: container.name)
      return nil
    }
  }

  private func createAndStart(
    _ config: CRIContainerConfig, of container: Container, sandboxID: String, sandboxConfig: CRIPodSandboxConfig
  ) async -> Bool {
    let runtime = context.runtime
    let id: String
    do {
      id = try await during("CreateContainer \(container.name)") { () async throws(CRIError) -> String in
        try await runtime.createContainer(inSandbox: sandboxID, config: config, sandboxConfig: sandboxConfig)
      }
    } catch {
      // The name may be reserved by an attempt that a dead daemon began: the next look finds it.
      mustObserve = true
      await failLoudly(container.name, "CreateContainerError", "\(error)", container: container.name)
      return false
    }
    do {
      try await during("StartContainer \(container.name)") { () async throws(CRIError) in try await runtime.startContainer(id) }
      retries.succeeded(container.name)
    } catch {
      // The runtime keeps it as exited, and the crash back-off takes over.
      await failLoudly(container.name, "RunContainerError", "\(error)", container: container.name)
    }
    do {
      let seen = try await during("ContainerStatus \(container.name)") { () async throws(CRIError) -> ObservedContainer in
        try await PodObserver(runtime: runtime).status(of: id, inSandbox: sandboxID)
      }
      observation.containers.insert(seen, at: 0)
      if seen.state == .running {
        await context.event(.normal, pod, "Started", "container \(container.name) started (attempt \(config.metadata.attempt))")
      }
    } catch {
      mustObserve = true
      fail("observe", "RuntimeUnavailable", "\(error)")
      return false
    }
    return true
  }
}
