import NIOHTTP1
import ServiceProxy

/// What kube-proxy 1.36 says of itself on port 10256: status, header and body are what probes and balancers read. A function of
/// values.
package struct ProxyHealthAnswer: Sendable, Equatable {
  package enum Question: String, Sendable, CaseIterable {
    case healthz = "/healthz"
    case livez = "/livez"
  }

  /// For metrics.
  package struct Count: Sendable, Hashable {
    package var question: Question
    package var status: Int

    package init(question: Question, status: Int) {
      self.question = question
      self.status = status
    }
  }

  package var isHealthy: Bool
  package var body: String

  /// - Parameter now: nanoseconds since the epoch.
  package init(_ question: Question, _ health: ProxyHealth, now: Int64) {
    isHealthy = health.isHealthy
    let current = Timestamp.text(now)
    // Go's zero time, until there is a sync.
    let last = health.lastUpdated == 0 ? "0001-01-01T00:00:00Z" : Timestamp.text(Int64(health.lastUpdated * 1e9))
    // As upstream the time of a healthy proxy is now, for those who take an old one for a sick proxy.
    var fields = ["\"lastUpdated\":\"\(isHealthy ? current : last)\"", "\"currentTime\":\"\(current)\""]
    // There is no Node object that an autoscaler could mark for deletion. Only /healthz says so.
    if question == .healthz { fields.append("\"nodeEligible\":true") }
    fields.append("\"healthy\":\(isHealthy)")
    // One sync serves both families here. Before the first one upstream has no status.
    if health.lastUpdated != 0 {
      let status = "{\"lastUpdated\":\"\(last)\",\"healthy\":\(isHealthy)}"
      fields.append("\"status\":{\"IPv4\":\(status),\"IPv6\":\(status)}")
    }
    body = "{\(fields.joined(separator: ","))}"
  }

  var http: HTTPAnswer { HTTPAnswer(status: isHealthy ? .ok : .serviceUnavailable, contentType: "application/json", body: body).unsniffed }
}
