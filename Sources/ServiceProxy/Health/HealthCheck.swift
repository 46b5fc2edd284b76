import KubeModel

/// What a load balancer asks a node about a Service that keeps outside traffic local: has it endpoints here?
public struct HealthCheck: Sendable, Hashable {
  /// The Service's `healthCheckNodePort`, TCP.
  public var port: UInt16
  public var namespace: String
  public var name: String
  /// Ready endpoints on this node, by address, in each family the Service is served in. As upstream those that are
  /// terminating do not count even while they serve: the balancer is to send new clients elsewhere.
  public var localEndpoints: [IPFamily: Int]

  public init(port: UInt16, namespace: String, name: String, localEndpoints: [IPFamily: Int]) {
    self.port = port
    self.namespace = namespace
    self.name = name
    self.localEndpoints = localEndpoints
  }

  public var namespacedName: String { "\(namespace)/\(name)" }

  /// The answer over HTTP, in the very words of kube-proxy: status, header fields and body are what balancers parse.
  ///
  /// - Parameters:
  ///   - family: of the connection the question came by; `nil` in a family the Service is not served in.
  ///   - isProxyHealthy: what the proxy's own health endpoint says. An unhealthy proxy is to get no clients.
  public func answer(_ family: IPFamily, isProxyHealthy: Bool) -> Answer? {
    guard let count = localEndpoints[family] else { return nil }
    return Answer(
      status: count > 0 && isProxyHealthy ? 200 : 503,
      fields: [
        ("Content-Type", "application/json"), ("X-Content-Type-Options", "nosniff"), ("X-Load-Balancing-Endpoint-Weight", "\(count)"),
      ], body: body(count, isProxyHealthy))
  }

  public struct Answer: Sendable, Equatable {
    public var status: Int
    public var fields: [(name: String, value: String)]
    public var body: String

    public static func == (left: Answer, right: Answer) -> Bool {
      left.status == right.status && left.body == right.body
        && left.fields.elementsEqual(right.fields) { $0.name == $1.name && $0.value == $1.value }
    }
  }

  /// Names of Kubernetes objects need no escape in JSON.
  private func body(_ count: Int, _ isProxyHealthy: Bool) -> String {
    "{\n\t\"service\": {\n\t\t\"namespace\": \"\(namespace)\",\n\t\t\"name\": \"\(name)\"\n\t},\n"
      + "\t\"localEndpoints\": \(count),\n\t\"serviceProxyHealthy\": \(isProxyHealthy)\n}"
  }
}
