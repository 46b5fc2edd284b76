import KubeModel
import NIOHTTP1
import PodAgent
import ServiceProxy

/// What the local socket and the health endpoint answer.
struct LocalAPI: Sendable {
  let node: StandaloneNode
  /// `nil` with `--pods=false`.
  let agent: PodAgent?
  /// `nil` with `--proxy-mode=none`.
  let proxy: ServiceHalf?
  let startedAt: Int64

  /// The local socket.
  func answer(_ path: String) async -> HTTPAnswer {
    switch path {
    case "/v1/pods": .json(JSONEmitter().text(PodTree.list(await agent?.pods() ?? [])))
    case "/v1/services": .json(JSONEmitter().text(ServiceTree.list(await node.serviceViews())))
    case "/v1/events": .json(JSONEmitter().text(EventTree.list(await node.events.events)))
    case "/healthz": await healthz(path)
    case let path where path.hasPrefix("/v1/explain/"): await explain(path)
    default: .text(.notFound, "no such path; there are /v1/explain/<namespace>/<name>, /v1/pods, /v1/services, /v1/events and /healthz\n")
    }
  }

  /// kubelet's /healthz: "ok", or 500 with the checks that fail. `?verbose` lists all.
  func healthz(_ path: String) async -> HTTPAnswer {
    guard path == "/healthz" || path.hasPrefix("/healthz?") || path == "/livez" else { return .text(.notFound, "404 page not found\n") }
    let checks = await checks()
    let failed = checks.filter { $0.problem != nil }
    if failed.isEmpty, !path.contains("verbose") { return .text(.ok, "ok") }
    let lines = checks.map { check in check.problem.map { "[-]\(check.name) failed: \($0)" } ?? "[+]\(check.name) ok" }
    return .text(
      failed.isEmpty ? .ok : .internalServerError,
      lines.joined(separator: "\n") + "\nhealthz check \(failed.isEmpty ? "passed" : "failed")\n")
  }

  private struct Check {
    var name: String
    var problem: String?
  }

  private func checks() async -> [Check] {
    var checks = [Check(name: "ping", problem: nil)]
    if let runtime = await agent?.runtimeHealth() {
      // kubelet's rule for the sync loop: a list of the runtime not older than three minutes; the start counts as one.
      let age = Duration.nanoseconds(SystemClock.now() - max(runtime.lastRelist, startedAt))
      let stale = age > PodAgent.healthyWithoutRelist
      checks.append(
        Check(
          name: "syncloop", problem: stale ? "no list of the runtime for \(age.components.seconds) s: \(runtime.error ?? "it hangs")" : nil)
      )
    }
    if let proxy { checks.append(Check(name: "proxy", problem: await proxyProblem(proxy.loop))) }
    return checks
  }

  private func proxyProblem(_ proxy: ProxyLoop) async -> String? {
    let health = await proxy.health
    guard !health.isHealthy else { return nil }
    let reason = await proxy.status.lastError ?? "the backend has not come back"
    return "Services have waited \(health.waiting.components.seconds) s for the kernel: \(reason)"
  }
}
