import KubeModel
import Logging
import NIOPosix
import ServiceProxy
import Synchronization
import Testing
import swiftlet

/// Ports balancers ask.
struct HealthCheckServersTests {
  private func table() -> HealthCheckTable {
    var spec = ServiceSpec(clusterIPs: [ip("10.96.0.10")], ports: [ServicePort(port: 80)])
    spec.type = .loadBalancer
    spec.externalTrafficPolicy = .local
    spec.healthCheckNodePort = 32000
    var table = ServiceTable(resolver: ServiceResolver(nodeName: "n"))
    table.apply(.service(Service(metadata: ObjectMeta(name: "web", namespace: "shop"), spec: spec, status: ServiceStatus())))
    _ = table.takeBatch(generation: 1)
    return table.healthChecks
  }

  @Test func aServiceIsListenedForInItsFamiliesAlone() {
    let four = HealthCheckServers.Listening(host: "0.0.0.0", family: .v4)
    let six = HealthCheckServers.Listening(host: "::", family: .v6)
    func places(_ counts: [IPFamily: Int]) -> Set<HealthCheckServers.Listening> {
      HealthCheckServers.places(HealthCheck(port: 32000, namespace: "shop", name: "web", localEndpoints: counts), among: [four, six])
    }
    #expect(places([.v4: 0]) == [four] && places([.v6: 1]) == [six] && places([.v4: 1, .v6: 0]) == [four, six])
  }

  @Test func aPortThatCannotBeListenedOnIsToldWithItsService() async {
    let told = Mutex<[HealthCheckServers.Failure]>([])
    // Not an address of this machine (TEST-NET-1), so that nothing has to be taken for the test.
    let servers = HealthCheckServers(
      addresses: { [.init(host: "192.0.2.1", family: .v4)] }, group: MultiThreadedEventLoopGroup.singleton,
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, isProxyHealthy: { true },
      failed: { failure in told.withLock { $0.append(failure) } })
    await servers.serve(table())
    #expect(await eventually { told.withLock { !$0.isEmpty } })
    let failure = told.withLock { $0.first }
    #expect(failure?.service == "shop/web" && failure?.port == 32000 && failure?.reason.isEmpty == false)
    await servers.stop()
  }
}
