import ProxyTesting
import Testing

/// Two connections of one client that differ only in the front end.
struct ClientPortBehaviour {
  let backend: BackendUnderTest

  private static let slot = 4700

  /// Conntrack gives one of them another port towards the endpoint.
  func oneClientPortReachesAnEndpointByTwoFrontEnds() throws {
    let reason = Unsupported.reason(backend, .oneClientPort)
    let patience = reason == nil ? Knock.longPatience : 2 * Knock.shortPatience
    try Proxy.on(backend) { topology, proxy in
      for plan in Plan.both {
        let services = (0..<2).map { number in
          TestService(
            "default/web\(number):http/\(plan.family)", family: plan.family, [.clusterIP(plan.cluster(Self.slot + number), 80)],
            [plan.endpointA])
        }
        try proxy.sync(.full(services))
        let port = ClientPort.next()
        func begin(_ number: Int, _ patience: Int) throws -> Conversation {
          try topology.outside.run {
            try Conversation(plan.cluster(Self.slot + number), 80, from: plan.outside, clientPort: port, patience: patience)
          }
        }
        let older = try begin(0, Knock.longPatience)
        let newer = try? begin(1, patience)
        let bothGoOn = newer?.echoes("newer") == true && older.echoes("older")
        #expect(bothGoOn == (reason == nil), "\(backend.rawValue), IPv\(plan.family), \(reason ?? "supported")")
      }
    }
  }
}
