import NIOHTTP1
import PluginHost
import PodAgent
import ServiceProxy
import Synchronization

/// What kube-proxy's two ports answer: metrics (10249) and health (10256).
struct ProxyAPI: Sendable {
  let proxy: ProxyLoop
  let backend: ProxyPluginAdapter
  let numbers: FlowNumbers
  private let answers = HealthAnswers()

  init(proxy: ProxyLoop, backend: ProxyPluginAdapter, numbers: FlowNumbers) {
    self.proxy = proxy
    self.backend = backend
    self.numbers = numbers
  }

  func metrics(_ path: String) async -> HTTPAnswer {
    switch path.prefix(while: { $0 != "?" }) {
    case "/metrics":
      let counters = (try? await backend.counters(nil)) ?? [:]
      let page = ProxyMetricsPage.render(
        await proxy.metrics, await proxy.status, mode: backend.name, counters: counters, conntrack: numbers.current,
        plugins: backend.plugin.metrics.snapshot(), withoutLocalEndpoints: await proxy.portsWithoutLocalEndpoints,
        answers: answers.counts)
      return HTTPAnswer(status: .ok, contentType: "text/plain; version=0.0.4; charset=utf-8", body: page)
    case "/proxyMode": return .text(.ok, backend.name).unsniffed
    // As upstream: that the process answers, whatever the rules are like. How they are is told by the other port.
    case "/healthz": return .text(.ok, "ok").unsniffed
    default: return .text(.notFound, "404 page not found\n").unsniffed
    }
  }

  func health(_ path: String) async -> HTTPAnswer {
    guard let question = ProxyHealthAnswer.Question(rawValue: String(path.prefix { $0 != "?" })) else {
      return .text(.notFound, "404 page not found\n").unsniffed
    }
    let answer = ProxyHealthAnswer(question, await proxy.health, now: SystemClock.now())
    answers.count(question, answer.isHealthy)
    return answer.http
  }
}

/// How often each answer was given, for metrics.
final class HealthAnswers: Sendable {
  private let numbers = Mutex<[ProxyHealthAnswer.Count: UInt64]>([:])

  var counts: [ProxyHealthAnswer.Count: UInt64] { numbers.withLock { $0 } }

  func count(_ question: ProxyHealthAnswer.Question, _ isHealthy: Bool) {
    numbers.withLock { $0[.init(question: question, status: isHealthy ? 200 : 503), default: 0] += 1 }
  }
}

extension HTTPAnswer {
  /// With the field Go's servers send with text, and kube-proxy with JSON.
  var unsniffed: HTTPAnswer {
    var copy = self
    copy.fields.append(("x-content-type-options", "nosniff"))
    return copy
  }
}
