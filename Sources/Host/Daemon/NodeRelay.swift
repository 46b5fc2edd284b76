import PodAgent
import ServiceProxy

/// Connects the agent with the node that is made after it, and lets many status changes in a row cost one look.
actor NodeRelay {
  private var node: StandaloneNode?
  private var proxy: ProxyLoop?
  private var healthChecks: HealthCheckServers?
  private let changes: AsyncStream<Void>
  private let changed: AsyncStream<Void>.Continuation

  init() { (changes, changed) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1)) }

  func connect(_ node: StandaloneNode, healthChecks: HealthCheckServers?, proxy: ProxyLoop?) {
    self.node = node
    self.healthChecks = healthChecks
    self.proxy = proxy
  }

  /// Runs until cancelled.
  nonisolated func run(_ node: StandaloneNode) async {
    for await _ in changes {
      await node.podsChanged()
      await serveHealthChecks()
    }
  }

  private func serveHealthChecks() async {
    if let proxy { await healthChecks?.serve(await proxy.healthChecks) }
  }

  /// The proxy has news of Services.
  nonisolated var proxySettled: @Sendable () -> Void { { [changed] in changed.yield() } }

  /// Somebody else changed the Service rules.
  nonisolated var rulesDamaged: @Sendable ([String]) async -> Void { { await self.node?.recordDamage($0) } }

  /// A Service's health check cannot be answered.
  nonisolated var healthCheckFailed: @Sendable (HealthCheckServers.Failure) async -> Void {
    { await self.node?.recordHealthCheckFailure($0) }
  }

  nonisolated var hooks: PodAgent.Hooks {
    PodAgent.Hooks(
      record: { event in await self.node?.record(event) },
      drain: { pod in await self.node?.drain(pod) },
      ended: { pod in await self.node?.ended(pod) },
      statusChanged: { [changed] in changed.yield() },
      serviceLinks: { namespace in await self.node?.serviceLinks(namespace) ?? [] })
  }
}
