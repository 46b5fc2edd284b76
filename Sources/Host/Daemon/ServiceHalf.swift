import Conntrack
import KubeModel
import Logging
import NIOPosix
import PluginHost
import PodAgent
import ServiceLifecycle
import ServiceProxy
import Synchronization

/// The half of the daemon that serves Services: the loop over a backend and what stands around it. The other half is pods.
struct ServiceHalf: Sendable {
  let backend: ProxyPluginAdapter
  let loop: ProxyLoop
  let flows: ConntrackReconciler
  let numbers: FlowNumbers
  let healthChecks: HealthCheckServers

  /// - Parameter addresses: those the backend was made with.
  init(
    _ backend: ProxyPluginAdapter, settings: Settings, nodeName: String, addresses: [IPAddress], relay: NodeRelay, logger: Logger
  ) {
    let numbers = FlowNumbers()
    let nodePorts = settings.nodePorts(addresses)
    let flows = ConntrackReconciler(logger: logger, nodePortRanges: nodePorts.networks) { numbers.add($0) }
    let loop = ProxyLoop(
      backend: backend, resolver: ServiceResolver(node: settings.nodeView(name: nodeName, addresses: addresses)), logger: logger,
      settled: relay.proxySettled, flows: flows, repairing: .init(period: settings.proxySyncPeriod, found: relay.rulesDamaged),
      pace: settings.proxyMinSyncPeriod)
    self.backend = backend
    self.loop = loop
    self.flows = flows
    self.numbers = numbers
    healthChecks = HealthCheckServers(
      addresses: { ServiceHalf.listening(nodePorts, NodeInspection.addresses()) }, group: MultiThreadedEventLoopGroup.singleton,
      logger: logger, isProxyHealthy: { await loop.health.isHealthy }, failed: relay.healthCheckFailed)
  }

  /// Where health checks of Services are answered: as node ports are.
  private static func listening(_ ports: NodePortAddresses, _ addresses: [IPAddress]) -> [HealthCheckServers.Listening] {
    IPFamily.allCases.flatMap { family -> [HealthCheckServers.Listening] in
      if ports.isUnrestricted(family) { return [.init(host: family == .v4 ? "0.0.0.0" : "::", family: family)] }
      return ports.matching(addresses).filter { $0.family == family }.map { .init(host: "\($0)", family: family) }
    }
  }

  /// What runs as long as the daemon does.
  /// - Parameter unset: kernel settings that could not be made so far.
  func services(
    _ settings: Settings, unset: [KernelSettingOutcome], node: StandaloneNode, logger: Logger
  ) -> [any ServiceLifecycle.Service] {
    let takeover = Takeover(proxy: loop, mode: backend.name, settings: settings, logger: logger) { await node.recordTakeover($0) }
    return [
      Loop { [loop, flows, healthChecks] in
        await loop.run()
        await healthChecks.stop()
        await flows.stop()
      },
      Loop { [loop] in
        if !unset.isEmpty, await loop.waitUntilLoaded() { KernelPreparation(settings: settings, logger: logger).tryAgain(unset) }
        if settings.takesOver { await takeover.run() }
        await Loop.untilCancelled()
      },
    ] + listeners(settings, logger)
  }

  /// kube-proxy's ports.
  private func listeners(_ settings: Settings, _ logger: Logger) -> [any ServiceLifecycle.Service] {
    let api = ProxyAPI(proxy: loop, backend: backend, numbers: numbers)
    func service(_ name: String, _ place: AddressAndPort?, _ answer: @escaping @Sendable (String) async -> HTTPAnswer) -> HTTPService? {
      place.map {
        HTTPService(
          name: name, place: .tcp(host: "\($0.address)", port: Int($0.port)), group: MultiThreadedEventLoopGroup.singleton,
          logger: logger, isEssential: settings.proxy.bindAddressHardFail, methods: .all, spansFamilies: true, answer: answer)
      }
    }
    return [
      service("metrics endpoint", settings.proxyMetricsPlace, api.metrics),
      service("proxy health endpoint", settings.proxyHealthzPlace, api.health),
    ].compactMap { $0 }
  }
}

/// What the conntrack reconciler did, for metrics. Filled on its thread.
final class FlowNumbers: Sendable {
  private let numbers = Mutex(ConntrackNumbers())

  var current: ConntrackNumbers { numbers.withLock { $0 } }

  func add(_ report: ReconcileReport) {
    let (seconds, attoseconds) = report.elapsed.components
    numbers.withLock { numbers in
      numbers.duration.observe(Double(seconds) + Double(attoseconds) / 1e18)
      numbers.deleted += UInt64(report.deleted.values.reduce(0, +))
    }
  }
}
