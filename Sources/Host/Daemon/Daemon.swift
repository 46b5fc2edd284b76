import CRI
import Conntrack
import KubeModel
import Logging
import NIOCore
import NIOPosix
import PluginHost
import PodAgent
import ServiceLifecycle
import ServiceProxy

/// The daemon: loads the backends, puts the parts together, runs them until a signal. Pods and rules outlive it.
struct Daemon {
  let settings: Settings
  /// Kernel settings that could not be made so far.
  var unset: [KernelSettingOutcome] = []
  let logger: Logger

  func run() async throws {
    // One thread for all sockets: a node agent moves little data, and each thread costs memory.
    NIOSingletons.groupLoopCountSuggestion = 1
    let lock = try InstanceLock(stateDirectory: settings.rootDirectory)
    let stopSignals = await StopSignals()
    let restart = Restart()
    let kernel = KernelPreparation(settings: settings, logger: logger)
    var unset = kernel.prepare()
    let addresses = NodeInspection.addresses()
    try await keeping(try await BackendLoading(settings: settings, logger: logger).proxy(nodeAddresses: addresses)) { selection in
      let chosen = settings.running(selection.chosen?.descriptor.name)
      unset += kernel.finish(chosen)
      let proxy = selection.chosen.flatMap { ProxyPluginAdapter($0) }
      if settings.isInitOnly { return try await kernel.initialise(proxy, failed: unset) }
      for warning in proxy == nil ? [] : chosen.proxyWarnings(nodeAddresses: addresses) { logger.warning("\(warning)") }
      try await Daemon(settings: chosen, unset: unset, logger: logger).work(proxy, addresses: addresses, restart, until: stopSignals)
    }
    guard !settings.isInitOnly else { return }
    logger.info("stopped; \(settings.runsPods ? "pods and " : "")Service rules stay as they are")
    _ = consume lock
    if !stopSignals.haveCome { try restart.happen() }
  }

  private func work(
    _ proxy: ProxyPluginAdapter?, addresses: [IPAddress], _ restart: Restart, until stopSignals: StopSignals
  ) async throws {
    guard settings.runsPods else {
      try await proxy?.start()
      return try await serve(proxy, nil, addresses: addresses, restart, until: stopSignals)
    }
    try await keeping(try await BackendLoading(settings: settings, logger: logger).cgroup()) { selection in
      let cgroups = selection.chosen.flatMap { CgroupPluginAdapter($0) }
      try await proxy?.start()
      try await cgroups?.start()
      try await serve(proxy, cgroups, addresses: addresses, restart, until: stopSignals)
    }
  }

  /// Closes the backend whatever comes of the body: to the next start one left open looks as if a daemon had died of it.
  private func keeping(_ selection: PluginSelection, _ body: (PluginSelection) async throws -> Void) async throws {
    logger.info("\(selection)")
    do {
      try await body(selection)
    } catch {
      await selection.chosen?.close()
      throw error
    }
    await selection.chosen?.close()
  }

  private func serve(
    _ proxyBackend: ProxyPluginAdapter?, _ cgroups: CgroupPluginAdapter?, addresses: [IPAddress], _ restart: Restart,
    until stopSignals: StopSignals
  ) async throws {
    let nodeName = settings.hostnameOverride ?? NodeInspection.hostName()
    let relay = NodeRelay()
    let proxy = proxyBackend.map {
      ServiceHalf($0, settings: settings, nodeName: nodeName, addresses: addresses, relay: relay, logger: logger)
    }
    let runtime = settings.runsPods ? try makeRuntime() : nil
    defer { runtime?.close() }
    let agent = runtime.map {
      PodAgent(
        configuration: agentConfiguration(nodeName), runtime: $0, images: $0, cgroups: cgroups, hooks: relay.hooks, logger: logger)
    }
    let node = StandaloneNode(
      nodeName: nodeName, agent: agent, proxy: proxy?.loop, serviceRanges: settings.serviceRanges,
      stateDirectory: settings.rootDirectory, logger: logger)
    await relay.connect(node, healthChecks: proxy?.healthChecks, proxy: proxy?.loop)
    var services = listeners(LocalAPI(node: node, agent: agent, proxy: proxy, startedAt: SystemClock.now()))
    services.append(Loop { await relay.run(node) })
    if let agent { services.append(Loop { await agent.run() }) }
    if let proxy { services += proxy.services(settings, unset: unset, node: node, logger: logger) }
    services.append(Loop { await runSource(for: node) })
    logger.info(
      "swiftlet runs",
      metadata: [
        "node": "\(nodeName)", "runtime": "\(settings.runsPods ? settings.runtimeEndpoint : "none, pods are off")",
        "manifests": "\(settings.podManifestPath ?? "none")",
      ])
    // Whose end is the end of all, in order.
    var enders: [any ServiceLifecycle.Service] = [stopSignals]
    if let proxy {
      enders.append(
        AddressFollower(
          settings: settings, nodeName: nodeName, loadedWith: addresses, proxy: proxy, restart: restart, logger: logger))
    }
    let serviceGroup = ServiceGroup(
      configuration: .init(
        services: services.map { .init(service: $0) }
          + enders.map { .init(service: $0, successTerminationBehavior: .gracefullyShutdownGroup) },
        logger: quiet))
    try await serviceGroup.run()
  }

  private func makeRuntime() throws -> CRIClient {
    var deadlines = CRIDeadlines()
    deadlines.request = settings.runtimeRequestTimeout
    return try CRIClient(
      runtimeEndpoint: settings.runtimeEndpoint, imageEndpoint: settings.imageEndpoint, deadlines: deadlines, logger: quiet,
      eventLoopGroup: MultiThreadedEventLoopGroup.singleton)
  }

  /// The local socket, and kubelet's port for health checks.
  private func listeners(_ api: LocalAPI) -> [any ServiceLifecycle.Service] {
    let group = MultiThreadedEventLoopGroup.singleton
    var services: [any ServiceLifecycle.Service] = [
      HTTPService(name: "local socket", place: .unix(settings.socketPath), group: group, logger: logger, answer: api.answer)
    ]
    if settings.healthzPort != 0 {
      services.append(
        HTTPService(
          name: "health endpoint", place: .tcp(host: settings.healthzAddress, port: Int(settings.healthzPort)), group: group,
          logger: logger, methods: .all, spansFamilies: true, answer: api.healthz))
    }
    return services
  }

  /// Libraries tell more than an operator wants to read.
  private var quiet: Logger {
    var quiet = logger
    quiet.logLevel = max(logger.logLevel, .warning)
    return quiet
  }

  private func runSource(for node: StandaloneNode) async {
    guard let path = settings.podManifestPath else {
      // Nothing is wanted, which is also something: what an earlier run left is stopped.
      await node.take(DirectorySource.Snapshot())
      return await Loop.untilCancelled()
    }
    let source = DirectorySource(path: path, pollInterval: settings.fileCheckFrequency, logger: logger)
    await source.run { await node.take($0) }
  }

  private func agentConfiguration(_ nodeName: String) -> PodAgent.Configuration {
    let facts = NodeFacts(
      nodeName: nodeName, addresses: NodeInspection.addresses(), cpuMillis: NodeInspection.cpuMillis(),
      memoryBytes: NodeInspection.memoryBytes(), rootDirectory: settings.rootDirectory, logDirectory: settings.podLogDirectory,
      clusterDomain: settings.clusterDomain, clusterDNS: settings.clusterDNS,
      lowestOOMScoreAdjustment: NodeInspection.lowestOOMScoreAdjustment())
    if facts.lowestOOMScoreAdjustment > -997 {
      logger.warning(
        "CAP_SYS_RESOURCE is withheld: oom_score_adj of containers cannot go below \(facts.lowestOOMScoreAdjustment); going on")
    }
    let (seconds, attoseconds) = settings.cpuQuotaPeriod.components
    return PodAgent.Configuration(
      node: facts,
      tree: CgroupTree(
        cgroupRoot: settings.cgroupRoot, podPidsLimit: settings.podPidsLimit, enforcesCPUQuota: settings.enforcesCPUQuota,
        quotaPeriod: UInt64(clamping: seconds * 1_000_000 + attoseconds / 1_000_000_000_000)),
      hostDNS: NodeInspection.resolverSettings(),
      crashBackoff: CrashBackoff.Settings(initial: settings.crashBackoffInitial, maximum: settings.crashBackoffMaximum))
  }
}

/// A part that runs until it is cancelled, as a service.
struct Loop: ServiceLifecycle.Service {
  let body: @Sendable () async -> Void

  init(_ body: @escaping @Sendable () async -> Void) { self.body = body }

  func run() async throws {
    await cancelWhenGracefulShutdown { [body] in await body() }
    // The group takes the end of one service for the end of all; outside of a shutdown none of these ends by itself.
  }

  static func untilCancelled() async {
    let (stream, continuation) = AsyncStream.makeStream(of: Never.self)
    for await _ in stream {}
    continuation.finish()
  }
}
