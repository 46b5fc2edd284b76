import KubeModel
import Logging
import NIOCore
import NIOHTTP1
import ServiceProxy

/// Listens on the `healthCheckNodePort` of each Service that has one, and answers what its table says at that moment.
actor HealthCheckServers {
  /// Where node ports answer, so do these, as kube-proxy's.
  private let addresses: @Sendable () -> [Listening]
  private let group: any EventLoopGroup
  private let logger: Logger
  /// Whether the proxy's own syncs succeed: an unhealthy one is to get no clients.
  private let isProxyHealthy: @Sendable () async -> Bool
  private var table = HealthCheckTable()
  private var running: [UInt16: [Task<Void, Never>]] = [:]

  struct Listening: Sendable, Hashable {
    var host: String
    var family: IPFamily
  }

  init(
    addresses: @escaping @Sendable () -> [Listening], group: any EventLoopGroup, logger: Logger,
    isProxyHealthy: @escaping @Sendable () async -> Bool
  ) {
    self.addresses = addresses
    self.group = group
    self.logger = logger
    self.isProxyHealthy = isProxyHealthy
  }

  /// Opens and closes what the table asks for. A port that is taken is tried again each five seconds.
  func serve(_ next: HealthCheckTable) {
    let change = next.change(from: table)
    table = next
    for port in change.close {
      for task in running.removeValue(forKey: port) ?? [] { task.cancel() }
    }
    for port in change.open {
      running[port] = addresses().map { listen($0, port) }
    }
  }

  func stop() { serve(HealthCheckTable()) }

  private func listen(_ place: Listening, _ port: UInt16) -> Task<Void, Never> {
    let service = HTTPService(
      name: "health check of Services", place: .tcp(host: place.host, port: Int(port)), group: group, logger: logger, isEssential: false
    ) { [weak self] _ in
      await self?.answer(port, place.family) ?? .text(.notFound, "")
    }
    return Task { try? await service.run() }
  }

  private func answer(_ port: UInt16, _ family: IPFamily) async -> HTTPAnswer {
    let isHealthy = await isProxyHealthy()
    guard let answer = table[port]?.answer(family, isProxyHealthy: isHealthy) else { return .text(.notFound, "404 page not found\n") }
    var result = HTTPAnswer(status: HTTPResponseStatus(statusCode: answer.status), contentType: "application/json", body: answer.body)
    result.fields = answer.fields.filter { $0.name.lowercased() != "content-type" }
    return result
  }
}
