import IPVS
import PluginAPI
import PluginKit
import ProxyTesting

enum Fixtures {
  static let configuration = ["cluster-cidrs": "10.0.0.0/16,fd00:10::/32", "service-cidrs": "10.96.0.0/16,fd00:96::/112"]
  static let nodeAddresses = Set(["192.0.2.1", "10.0.1.1", "fd00:c::1", "fd00:10:1::1"].compactMap { Address($0) })

  static func settings(_ configuration: [String: String] = configuration) throws -> Settings { try Settings(configuration) }

  static func address(_ text: String) -> Address { Address(text) ?? Address(network: [], .ipv4) }

  static func frontend(_ address: String, _ port: UInt16, _ proto: UInt8 = 6) -> Frontend {
    Frontend(address: Self.address(address), proto: proto, port: port)
  }

  static func real(_ address: String, _ port: UInt16 = 8080) -> RealServer { RealServer(address: Self.address(address), port: port) }

  static func web(_ number: Int = 1, endpoints: Int = 2) -> TestService {
    TestService(
      "default/web\(number):http/TCP/4", [.clusterIP("10.96.\(number / 250).\(number % 250 + 1)", 80)],
      (0..<endpoints).map { TestEndpoint("10.0.\(number % 250).\($0 + 2)", 8080) })
  }

  /// Local endpoints for the rest of the world, all for near clients.
  static func localWeb(_ address: String = "203.0.113.9") -> TestService {
    let frontend = TestFrontend(SWL_PROXY_LOAD_BALANCER, address, 80).selecting(SWL_PROXY_SELECT_LOCAL)
      .flagged(SWL_PROXY_FRONTEND_NEAR).whenEmpty(SWL_PROXY_EMPTY_DROP)
    return TestService("default/local:http/TCP/4", [frontend], [.onNode("10.0.1.2", 8080), TestEndpoint("10.0.2.2", 8080)])
  }

  static func port(_ service: TestService) throws -> ServicePort {
    try TestBatch([service]).withView { view in
      for raw in view.upserts {
        let (port, fault) = ServicePort.read(raw)
        if let fault { throw fault }
        return port
      }
      throw BackendFault(.internal, "no service")
    }
  }

  static func ports(_ services: [TestService]) throws -> [Change] { try services.map { .upsert(try port($0)) } }

  static func footprint(_ service: TestService, _ configuration: [String: String] = configuration) throws -> Footprint {
    let port = try port(service)
    return Footprint(port, try settings(configuration), nodeAddresses: nodeAddresses, markNumber: port.needsMark ? 1 : nil)
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
      frontends[index].masquerade = swl_proxy_masquerade_t.random(in: 0...2, using: &generator)
      frontends[index].selection = Bool.random(using: &generator) ? SWL_PROXY_SELECT_CLUSTER : SWL_PROXY_SELECT_LOCAL
      frontends[index].whenEmpty = Bool.random(using: &generator) ? SWL_PROXY_EMPTY_REFUSE : SWL_PROXY_EMPTY_DROP
      frontends[index].flags = UInt64.random(in: 0...3, using: &generator)
    }
    let endpoints = (0..<Int.random(in: 0...4, using: &generator)).map { _ in
      TestEndpoint(address(Int.random(in: 2...6, using: &generator)), 8080, flags: UInt64.random(in: 0...7, using: &generator))
    }
    var service = TestService(
      "default/s\(number):http/\(proto)/\(family)", family: family, proto: proto, frontends, endpoints)
    if Bool.random(using: &generator) { service.sourceRanges = [family == 4 ? "192.0.2.0/24" : "fd00:c::/64"] }
    if Bool.random(using: &generator) { service.affinitySeconds = 60 }
    return service
  }
}

extension IPVSBackend {
  func damages(thorough: Bool = false) throws(BackendFault) -> [String] {
    var lines: [String] = []
    try examine(thorough: thorough) { lines.append($0) }
    return lines
  }
}
