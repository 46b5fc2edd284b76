import NIOHTTP1
import PluginHost
import PodAgent
import ServiceProxy

/// What kube-proxy's two ports answer: metrics (10249) and health (10256).
struct ProxyAPI: Sendable {
  let proxy: ProxyLoop
  let backend: ProxyPluginAdapter
  let numbers: FlowNumbers

  func metrics(_ path: String) async -> HTTPAnswer {
    switch path.prefix(while: { $0 != "?" }) {
    case "/metrics":
      let counters = (try? await backend.counters(nil)) ?? [:]
      let page = ProxyMetricsPage.render(
        await proxy.metrics, await proxy.status, mode: backend.name, counters: counters, conntrack: numbers.current,
        plugins: backend.plugin.metrics.snapshot())
      return HTTPAnswer(status: .ok, contentType: "text/plain; version=0.0.4; charset=utf-8", body: page)
    case "/proxyMode": return .text(.ok, backend.name)
    case "/healthz", "/livez": return await healthz(path)
    default: return .text(.notFound, "404 page not found\n")
    }
  }

  /// As kube-proxy: 200 while syncs succeed, 503 when they fail; with the time of the last one.
  func healthz(_ path: String) async -> HTTPAnswer {
    guard ["/healthz", "/livez"].contains(path.prefix(while: { $0 != "?" })) else { return .text(.notFound, "404 page not found\n") }
    let status = await proxy.status
    let isHealthy = status.isLoaded && status.isHealthy
    let now = Timestamp.text(SystemClock.now())
    let last = Timestamp.text(Int64(await proxy.metrics.lastSync * 1e9))
    return HTTPAnswer(
      status: isHealthy ? .ok : .serviceUnavailable, contentType: "application/json",
      body: "{\"lastUpdated\": \"\(last)\",\"currentTime\": \"\(now)\", \"nodeEligible\": true}")
  }
}
