import KubeModel
import Logging
import NIOCore
import NIOHTTP1
import ServiceProxy

/// Listens on the `healthCheckNodePort` of each Service that has one, and answers what its table says at that moment.
package actor HealthCheckServers {
  /// Where node ports answer, so do these, as kube-proxy's.
  private let addresses: @Sendable () -> [Listening]
  private let group: any EventLoopGroup
  private let logger: Logger
  /// What the proxy says of itself: an unhealthy one is to get no clients.
  private let isProxyHealthy: @Sendable () async -> Bool
  /// Told when a port cannot be listened on.
  private let failed: @Sendable (Failure) async -> Void
  private var table = HealthCheckTable()
  private var running: [UInt16: [Listening: Task<Void, Never>]] = [:]

  package struct Listening: Sendable, Hashable {
    var host: String
    var family: IPFamily

    package init(host: String, family: IPFamily) {
      self.host = host
      self.family = family
    }
  }

  package struct Failure: Sendable, Hashable {
    /// "namespace/name"
    package var service: String
    package var port: UInt16
    package var reason: String
  }

  package init(
    addresses: @escaping @Sendable () -> [Listening], group: any EventLoopGroup, logger: Logger,
    isProxyHealthy: @escaping @Sendable () async -> Bool, failed: @escaping @Sendable (Failure) async -> Void = { _ in }
  ) {
    self.addresses = addresses
    self.group = group
    self.logger = logger
    self.isProxyHealthy = isProxyHealthy
    self.failed = failed
  }

  /// Opens and closes what the table asks for. A port that is taken is tried again each five seconds.
  package func serve(_ next: HealthCheckTable) {
    let change = next.change(from: table)
    let isElsewhere = !change.isEmpty || next.checks.contains { Self.families($1) != Self.families(table[$0]) }
    table = next
    for port in change.close {
      for task in (running.removeValue(forKey: port) ?? [:]).values { task.cancel() }
    }
    if isElsewhere { addressesChanged() }
  }

  /// The node has other addresses: listeners follow where node ports answer, and those that stay are not disturbed.
  package func addressesChanged() {
    let checks = table.checks
    if checks.isEmpty { return }
    let all = addresses()
    for (port, check) in checks {
      let places = Self.places(check, among: all)
      var tasks = running[port] ?? [:]
      for place in Set(tasks.keys).subtracting(places) { tasks.removeValue(forKey: place)?.cancel() }
      for place in places.subtracting(tasks.keys) { tasks[place] = listen(place, port) }
      running[port] = tasks
    }
  }

  private static func families(_ check: HealthCheck?) -> Set<IPFamily> { Set(check.map { Array($0.localEndpoints.keys) } ?? []) }

  /// In the families of the Service, as kube-proxy's (kubernetes/kubernetes#137370): a node may have no other to listen in.
  package static func places(_ check: HealthCheck, among all: [Listening]) -> Set<Listening> {
    Set(all.filter { check.localEndpoints[$0.family] != nil })
  }

  package func stop() { serve(HealthCheckTable()) }

  private func listen(_ place: Listening, _ port: UInt16) -> Task<Void, Never> {
    let service = HTTPService(
      name: "health check of Services", place: .tcp(host: place.host, port: Int(port)), group: group, logger: logger, isEssential: false,
      methods: .all, failed: { [weak self] in await self?.tell(port, $0) }
    ) { [weak self] _ in
      await self?.answer(port, place.family) ?? .text(.notFound, "")
    }
    return Task { try? await service.run() }
  }

  private func tell(_ port: UInt16, _ reason: String) async {
    guard let check = table[port] else { return }
    await failed(Failure(service: check.namespacedName, port: port, reason: reason))
  }

  private func answer(_ port: UInt16, _ family: IPFamily) async -> HTTPAnswer {
    let isHealthy = await isProxyHealthy()
    guard let answer = table[port]?.answer(family, isProxyHealthy: isHealthy) else { return .text(.notFound, "404 page not found\n") }
    var result = HTTPAnswer(status: HTTPResponseStatus(statusCode: answer.status), contentType: "application/json", body: answer.body)
    result.fields = answer.fields.filter { $0.name.lowercased() != "content-type" }
    return result
  }
}
