import Conntrack
import KubeModel
import NIOHTTP1
import PluginHost
import PodAgent
import ServiceProxy

extension LocalAPI {
  /// `/v1/explain/<namespace>/<name>[:port][?from=<ip>]`
  func explain(_ path: String) async -> HTTPAnswer {
    let parts = path.dropFirst("/v1/explain/".count).split(separator: "?", maxSplits: 1)
    let target = (parts.first ?? "").split(separator: ":", maxSplits: 1).map(String.init)
    let from = parts.count == 2 && parts[1].hasPrefix("from=") ? IPAddress(String(parts[1].dropFirst(5))) : nil
    guard let name = target.first, let view = await node.serviceView(of: name) else {
      return .text(.notFound, "there is no Service \(target.first ?? ""); `swiftlet get services` lists them\n")
    }
    var explanation = ExplanationTree(service: view.service, mode: proxy?.backend.name ?? "none")
    explanation.from = from
    explanation.problems = view.issues.map { "\($0)" } + view.failures
    guard let proxy, let report = await proxy.loop.report(of: name) else { return .json(JSONEmitter().text(explanation.tree)) }
    let status = await proxy.loop.status
    explanation.generation = status.committedGeneration
    let lastSync = await proxy.loop.metrics.lastSync
    explanation.committedAt = lastSync == 0 ? "" : Timestamp.text(Int64(lastSync * 1e9))
    explanation.problems += status.damage.map { "damaged by somebody else, being restored: \($0)" }
    let reasons = await proxy.loop.explanation(of: name, from: from, localPods: await node.podAddresses)
    for port in report.ports where target.count < 2 || matches(port, target[1]) {
      explanation.ports.append(await explain(port, status, reasons.first { $0.key == port.key }, proxy))
    }
    return .json(JSONEmitter().text(explanation.tree))
  }

  /// By the port's name or one of its numbers.
  private func matches(_ port: ResolvedServicePort, _ wanted: String) -> Bool {
    let tail = port.key.split(separator: ":", maxSplits: 1).last ?? ""
    return tail.split(separator: "/").first.map(String.init) == wanted || port.frontends.contains { "\($0.port)" == wanted }
  }

  private func explain(
    _ port: ResolvedServicePort, _ status: ProxyLoop.Status, _ reasons: ServicePortExplanation?, _ proxy: ServiceHalf
  ) async -> ExplanationTree.Port {
    var explained = ExplanationTree.Port(resolved: port)
    explained.failure = status.failures[port.key]
    explained.endpoints = reasons?.endpoints.map(ExplanationTree.endpoint) ?? []
    explained.topology = reasons?.topology ?? []
    explained.fromLines = reasons?.frontends.compactMap(ExplanationTree.outcome) ?? []
    do {
      explained.kernel = try await proxy.backend.explain(port.key) ?? []
      explained.counters = try await proxy.backend.counters(port.key)[port.key]
    } catch {
      explained.kernel = ["cannot be read: \(error)"]
    }
    do {
      let listing = try await proxy.flows.flows(of: port, limit: 10)
      explained.flows = (listing.count, listing.flows.map { "\($0)" })
    } catch {
      explained.flows = (0, ["cannot be listed: \(error)"])
    }
    return explained
  }
}

extension ExplanationTree {
  static func endpoint(_ endpoint: EndpointExplanation) -> TreeValue {
    var object = TreeObject()
    object["address"] = .string("\(place(endpoint.address)):\(endpoint.port)")
    if let pod = endpoint.pod { object["pod"] = .string(pod) }
    if let node = endpoint.nodeName { object["node"] = .string(node + (endpoint.onNode ? " (this)" : "")) }
    if let zone = endpoint.zone { object["zone"] = .string(zone) }
    let readiness = endpoint.isReady ? "ready" : endpoint.isTerminating && endpoint.isServing ? "serving" : "not ready"
    let state = [readiness, endpoint.isTerminating ? "terminating" : nil]
    object["state"] = .string(state.compactMap { $0 }.joined(separator: ", "))
    object["cluster"] = .string(endpoint.servesCluster ? "used" : "-")
    object["local"] = .string(endpoint.servesLocal ? "used" : "-")
    object["why"] = .string(endpoint.reason)
    return .object(object)
  }

  static func outcome(_ explained: FrontendExplanation) -> String? {
    guard let outcome = explained.outcome else { return nil }
    let frontend = explained.frontend
    let verdict =
      switch outcome.verdict {
      case .served: "is served by \(outcome.endpoints.joined(separator: " or "))"
      case .refused: "is refused"
      case .dropped: "is dropped"
      }
    return "\(frontend.kind.word) \(frontend.address.map(place) ?? "node"):\(frontend.port) \(verdict): \(outcome.reason)"
  }

  private static func place(_ address: IPAddress) -> String { address.family == .v6 ? "[\(address)]" : "\(address)" }
}
