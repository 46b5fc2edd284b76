import IPTables
import PluginAPI
import PluginKit
import ProxyTesting

enum Fixtures {
  static let configuration = ["cluster-cidrs": "10.0.0.0/16,fd00:10::/32", "service-cidrs": "10.96.0.0/16,fd00:96::/64"]

  static func backend(_ runner: any ToolRunner, _ variant: Variant? = .nft, _ configuration: [String: String] = configuration)
    throws(BackendFault) -> IPTablesBackend
  {
    try IPTablesBackend(host: HostServices(testing: { _, _ in }), configuration: configuration, variant: variant, runner: runner)
  }

  static func web(_ number: Int = 1, endpoints: Int = 2) -> TestService {
    TestService(
      "default/web\(number):http/TCP/4", [.clusterIP("10.96.\(number / 250).\(number % 250 + 1)", 80)],
      (0..<endpoints).map { TestEndpoint("10.0.\(number % 250).\($0 + 2)", 8080) })
  }

  /// One service port with all a front end can ask for.
  static func rich(_ family: UInt8, affinity: UInt32 = 0, endpoints: [TestEndpoint]? = nil) -> TestService {
    func pick(_ four: String, _ six: String) -> String { family == 4 ? four : six }
    let external = TestFrontend(SWL_PROXY_LOAD_BALANCER, pick("203.0.113.9", "fd00:ee::9"), 443)
    var service = TestService(
      "default/rich:\"https\"/TCP/\(family)", family: family,
      [
        .clusterIP(pick("10.96.0.1", "fd00:96::1"), 443).masquerading(SWL_PROXY_MASQUERADE_FROM_OUTSIDE),
        TestFrontend.nodePort(30443).selecting(SWL_PROXY_SELECT_LOCAL).whenEmpty(SWL_PROXY_EMPTY_DROP).flagged(SWL_PROXY_FRONTEND_NEAR),
        external.selecting(SWL_PROXY_SELECT_LOCAL).whenEmpty(SWL_PROXY_EMPTY_DROP)
          .flagged(SWL_PROXY_FRONTEND_NEAR | SWL_PROXY_FRONTEND_SOURCE_RANGES),
        TestFrontend(SWL_PROXY_EXTERNAL_IP, pick("203.0.113.10", "fd00:ee::a"), 443).masquerading(SWL_PROXY_MASQUERADE_ALWAYS),
      ],
      endpoints ?? [
        .onNode(pick("10.0.1.2", "fd00:10:1::2"), 8443), TestEndpoint(pick("10.0.2.2", "fd00:10:2::2"), 8443),
        TestEndpoint(pick("10.0.2.3", "fd00:10:2::3"), 8443),
      ])
    service.affinitySeconds = affinity
    service.sourceRanges = family == 4 ? ["192.0.2.0/24", "198.51.100.7/32"] : ["fd00:c::/64"]
    return service
  }

  static func ports(_ services: [TestService]) throws(BackendFault) -> [ServicePort] {
    try TestBatch(services).withView { view throws(BackendFault) in
      var ports: [ServicePort] = []
      for raw in view.upserts { ports.append(try ServicePort(raw)) }
      return ports
    }
  }

  /// A Service of random shape among few addresses, so that sequences of them meet each other.
  static func random(_ number: Int, using generator: inout SplitMix) -> TestService {
    let family: UInt8 = Bool.random(using: &generator) ? 4 : 6
    let proto: UInt8 = [6, 17, 132].randomElement(using: &generator) ?? 6
    func address(_ last: Int) -> String { family == 4 ? "10.0.0.\(last)" : "fd00:10::\(last)" }
    var frontends = [TestFrontend.clusterIP(family == 4 ? "10.96.0.\(number)" : "fd00:96::\(number)", 80)]
    if Bool.random(using: &generator) { frontends.append(.nodePort(UInt16(30000 + number))) }
    if Bool.random(using: &generator) {
      frontends.append(TestFrontend(SWL_PROXY_EXTERNAL_IP, family == 4 ? "203.0.113.9" : "fd00:ee::9", UInt16(8000 + number)))
    }
    for index in frontends.indices {
      frontends[index].masquerade = Int32.random(in: 0...2, using: &generator)
      frontends[index].selection = Int32.random(in: 1...2, using: &generator)
      frontends[index].whenEmpty = Int32.random(in: 1...2, using: &generator)
      frontends[index].flags = UInt64.random(in: 0...3, using: &generator)
    }
    let endpoints = (0..<Int.random(in: 0...4, using: &generator)).map { _ in
      TestEndpoint(address(Int.random(in: 2...6, using: &generator)), 8080, flags: UInt64.random(in: 0...7, using: &generator))
    }
    // One key for each family and protocol, as the host makes them.
    var service = TestService("default/s\(number):http/\(proto)/\(family)", family: family, proto: proto, frontends, endpoints)
    service.affinitySeconds = Bool.random(using: &generator) ? 30 : 0
    service.sourceRanges = [family == 4 ? "192.0.2.0/24" : "fd00:c::/64"]
    return service
  }

  /// A random batch over Services that exist, and what exists after it.
  static func randomBatch(_ existing: inout [String: TestService], using generator: inout SplitMix) -> TestBatch {
    .random(over: &existing, using: &generator) { random(Int.random(in: 1...12, using: &$0), using: &$0) }
  }
}
