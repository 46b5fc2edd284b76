import CRI
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
  let logger: Logger

  func run() async throws {
    // One thread for all sockets: a node agent moves little data, and each thread costs memory.
    NIOSingletons.groupLoopCountSuggestion = 1
    let lock = try InstanceLock(stateDirectory: settings.rootDirectory)
    let stopSignals = await StopSignals()
    let loading = BackendLoading(settings: settings, logger: logger)
    try await keeping(try await loading.proxy()) { proxySelection in
      try await keeping(try await loading.cgroup()) { cgroupSelection in
        let proxyBackend = proxySelection.chosen.flatMap { ProxyPluginAdapter($0) }
        let cgroups = cgroupSelection.chosen.flatMap { CgroupPluginAdapter($0) }
        try await proxyBackend?.start()
        try await cgroups?.start()
        try await serve(proxyBackend, cgroups, until: stopSignals)
      }
    }
    logger.info("stopped; pods and Service rules stay as they are")
    _ = consume lock
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

  private func serve(_ proxyBackend: ProxyPluginAdapter?, _ cgroups: CgroupPluginAdapter?, until stopSignals: StopSignals) async throws {
    let nodeName = settings.hostnameOverride ?? NodeInspection.hostName()
    var deadlines = CRIDeadlines()
    deadlines.request = settings.runtimeRequestTimeout
    let runtime = try CRIClient(
      runtimeEndpoint: settings.runtimeEndpoint, imageEndpoint: settings.imageEndpoint, deadlines: deadlines, logger: quiet,
      eventLoopGroup: MultiThreadedEventLoopGroup.singleton)
    let relay = NodeRelay()
    let proxy = proxyBackend.map {
      ProxyLoop(backend: $0, resolver: ServiceResolver(nodeName: nodeName), logger: logger, settled: relay.proxySettled)
    }
    let agent = PodAgent(
      configuration: agentConfiguration(nodeName), runtime: runtime, images: runtime, cgroups: cgroups, hooks: relay.hooks,
      logger: logger)
    let node = StandaloneNode(
      nodeName: nodeName, agent: agent, proxy: proxy, serviceRanges: settings.serviceRanges,
      stateDirectory: settings.rootDirectory, logger: logger)
    await relay.connect(node)
    let api = LocalAPI(node: node, agent: agent, proxy: proxy, startedAt: SystemClock.now())
    let group = MultiThreadedEventLoopGroup.singleton
    var services: [any ServiceLifecycle.Service] = [
      Loop { await relay.run(node) }, Loop { await agent.run() },
      HTTPService(name: "local socket", place: .unix(settings.socketPath), group: group, logger: logger, answer: api.answer),
    ]
    if let proxy { services.append(Loop { await proxy.run() }) }
    services.append(Loop { await runSource(for: node) })
    if settings.healthzPort != 0 {
      services.append(
        HTTPService(
          name: "health endpoint", place: .tcp(host: settings.healthzAddress, port: Int(settings.healthzPort)), group: group,
          logger: logger, answer: api.healthz))
    }
    logger.info(
      "swiftlet runs",
      metadata: ["node": "\(nodeName)", "runtime": "\(settings.runtimeEndpoint)", "manifests": "\(settings.podManifestPath ?? "none")"])
    let serviceGroup = ServiceGroup(
      configuration: .init(
        services: services.map { .init(service: $0) }
          + [.init(service: stopSignals, successTerminationBehavior: .gracefullyShutdownGroup)],
        logger: quiet))
    try await serviceGroup.run()
    runtime.close()
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
