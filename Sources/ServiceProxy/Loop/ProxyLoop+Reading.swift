import KubeModel

extension ProxyLoop {
  /// Why each endpoint of one Service is used or not; with a client's address also what that client meets.
  /// - Parameter localPods: addresses of pods of this node.
  public func explanation(of name: String, from: IPAddress?, localPods: Set<IPAddress>) -> [ServicePortExplanation] {
    table.explain(name, client: from.map { ServiceClient(address: $0, node: table.node, localPods: localPods) }) ?? []
  }

  /// What the node answers load balancers, as of the last batch.
  public var healthChecks: HealthCheckTable { table.healthChecks }

  /// The node's zone, addresses or settings are others now.
  public func setNode(_ node: NodeView) {
    table.setNode(node)
    disturb()
  }

  /// One Service as it is programmed.
  public func report(of name: String) -> (service: Service, ports: [ResolvedServicePort], issues: [ServiceIssue])? {
    table.report(of: name)
  }

  /// Service ports whose policy keeps traffic on this node while only others have endpoints: such traffic is dropped.
  public var portsWithoutLocalEndpoints: [MissingLocalEndpoints: Int] {
    var counts: [MissingLocalEndpoints: Int] = [:]
    for name in table.serviceNames {
      for port in table.report(of: name)?.ports ?? [] {
        for missing in MissingLocalEndpoints.all(of: port) { counts[missing, default: 0] += 1 }
      }
    }
    return counts
  }

  /// What of a Service is not programmed, as of the last batch that was made.
  public func issues(of name: String) -> [ServiceIssue] { report(of: name)?.issues ?? [] }

  /// The same for every Service that has any, by "namespace/name".
  public func issues() -> [String: [ServiceIssue]] { table.issues() }
}
