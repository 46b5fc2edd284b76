import NFTables
import PluginAPI
import PluginKit
import ProxyTesting

enum Fixtures {
  static let configuration = ["cluster-cidrs": "10.0.0.0/16,10.1.0.0/17,fd00:10::/32"]

  static func settings(_ configuration: [String: String] = configuration) throws -> Settings { try Settings(configuration) }

  static func web(_ number: Int = 1, endpoints: Int = 2) -> TestService {
    TestService(
      "default/web\(number):http/TCP/4", [.clusterIP("10.96.\(number / 250).\(number % 250 + 1)", 80)],
      (0..<endpoints).map { TestEndpoint("10.0.\(number % 250).\($0 + 2)", 8080) })
  }

  /// The changes of a batch, as the backend reads them.
  static func ports(_ services: [TestService]) -> [Change] {
    TestBatch(services).withView { view in
      var changes: [Change] = []
      for raw in view.upserts { changes.append(.upsert(ServicePort.read(raw).port)) }
      return changes
    }
  }

  /// A Service of random shape among few addresses, so that sequences of them meet each other.
  static func random(_ number: Int, using generator: inout SplitMix) -> TestService {
    let family: UInt8 = Bool.random(using: &generator) ? 4 : 6
    let proto: UInt8 = [6, 17, 132].randomElement(using: &generator) ?? 6
    func address(_ last: Int) -> String { family == 4 ? "10.0.0.\(last)" : "fd00:10::\(last)" }
    let masquerade: [swl_proxy_masquerade_t] = [
      SWL_PROXY_MASQUERADE_HAIRPIN, SWL_PROXY_MASQUERADE_FROM_OUTSIDE, SWL_PROXY_MASQUERADE_ALWAYS,
    ]
    var frontends = [TestFrontend.clusterIP(family == 4 ? "10.96.0.\(number)" : "fd00:96::\(number)", 80)]
    if Bool.random(using: &generator) { frontends.append(.nodePort(UInt16(30000 + number))) }
    if Bool.random(using: &generator) {
      frontends.append(TestFrontend(SWL_PROXY_EXTERNAL_IP, family == 4 ? "203.0.113.9" : "fd00:ee::9", UInt16(8000 + number)))
    }
    for index in frontends.indices {
      frontends[index].masquerade = masquerade.randomElement(using: &generator) ?? 0
      frontends[index].selection = Bool.random(using: &generator) ? SWL_PROXY_SELECT_CLUSTER : SWL_PROXY_SELECT_LOCAL
      frontends[index].whenEmpty = Bool.random(using: &generator) ? SWL_PROXY_EMPTY_REFUSE : SWL_PROXY_EMPTY_DROP
      if Int.random(in: 0..<3, using: &generator) == 0 { frontends[index].flags |= SWL_PROXY_FRONTEND_NEAR }
      if Int.random(in: 0..<3, using: &generator) == 0 { frontends[index].flags |= SWL_PROXY_FRONTEND_SOURCE_RANGES }
    }
    let endpoints = (0..<Int.random(in: 0...4, using: &generator)).map { _ in
      TestEndpoint(address(Int.random(in: 2...6, using: &generator)), 8080, flags: UInt64.random(in: 0...7, using: &generator))
    }
    // One key for each family and protocol, as the host makes them.
    var service = TestService("default/s\(number):http/\(proto)/\(family)", family: family, proto: proto, frontends, endpoints)
    service.affinitySeconds = [0, 0, 0, 60, 10800].randomElement(using: &generator) ?? 0
    // Some contain others.
    let ranges = family == 4 ? ["10.0.0.0/8", "10.1.0.0/16", "192.0.2.7/32"] : ["fd00::/16", "fd00:10::/32", "2001:db8::1/128"]
    service.sourceRanges = ranges.filter { _ in Bool.random(using: &generator) }
    return service
  }

  /// A random batch over Services that exist, and what exists after it.
  static func randomBatch(_ existing: inout [String: TestService], using generator: inout SplitMix) -> TestBatch {
    .random(over: &existing, using: &generator) { random(Int.random(in: 1...12, using: &$0), using: &$0) }
  }
}
