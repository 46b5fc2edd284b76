import Conntrack
import KubeModel
import ServiceProxy
import Testing

/// Addresses of one family the tables of the tests are written in.
struct Plan: Sendable, CustomTestStringConvertible {
  let family: IPFamily
  let service: IPAddress
  let external: IPAddress
  let node: IPAddress
  let client: IPAddress
  let podA: IPAddress
  let podB: IPAddress
  let elsewhere: IPAddress

  static let all = [
    Plan(.v4, "10.96.0.10", "192.0.2.80", "10.0.0.1", "10.0.0.2", "10.1.0.1", "10.1.0.2", "198.51.100.7"),
    Plan(.v6, "fd96::10", "2001:db8::80", "fd00::1", "fd00::2", "fd01::1", "fd01::2", "2001:db8:7::7"),
  ]

  private init(_ family: IPFamily, _ texts: String...) {
    self.family = family
    let addresses = texts.compactMap { IPAddress($0) }
    precondition(addresses.count == 7)
    (service, external, node, client) = (addresses[0], addresses[1], addresses[2], addresses[3])
    (podA, podB, elsewhere) = (addresses[4], addresses[5], addresses[6])
  }

  var testDescription: String { family.rawValue }

  static let port: UInt16 = 53
  static let nodePort: UInt16 = 30053
  static let target: UInt16 = 8053

  var a: ResolvedServicePort.Endpoint { .init(address: podA, port: Plan.target, servesLocal: true, onNode: true) }
  var b: ResolvedServicePort.Endpoint { .init(address: podB, port: Plan.target) }

  /// A Service with every kind of front end.
  func dns(
    _ endpoints: ResolvedServicePort.Endpoint..., ipProtocol: IPProtocol = .udp, key: String = "kube-system/dns:dns",
    selection: ResolvedServicePort.Frontend.Selection = .cluster
  ) -> ResolvedServicePort {
    ResolvedServicePort(
      key: "\(key)/\(ipProtocol)/\(family == .v4 ? 4 : 6)", family: family, ipProtocol: ipProtocol,
      frontends: [
        .init(kind: .clusterIP, address: service, port: Plan.port, selection: selection),
        .init(kind: .nodePort, address: nil, port: Plan.nodePort, selection: selection),
        .init(kind: .externalIP, address: external, port: Plan.port, selection: selection),
      ], endpoints: endpoints)
  }

  /// A flow from the client to `destination` that is answered by `target`.
  func flow(
    to destination: IPAddress, _ port: UInt16 = Plan.port, at target: IPAddress, _ targetPort: UInt16 = Plan.target,
    ipProtocol: IPProtocol = .udp
  ) -> TrackedFlow {
    let client = TransportAddress(client, 4000)
    return TrackedFlow(
      ipProtocol: ipProtocol, original: FlowTuple(source: client, destination: TransportAddress(destination, port)),
      reply: FlowTuple(source: TransportAddress(target, targetPort), destination: client))
  }

  /// What a client meets before there is any rule.
  func untranslated(to destination: IPAddress, _ port: UInt16 = Plan.port, ipProtocol: IPProtocol = .udp) -> TrackedFlow {
    flow(to: destination, port, at: destination, port, ipProtocol: ipProtocol)
  }

  /// The three ways in: cluster address, node port, external address.
  var ways: [(address: IPAddress, port: UInt16)] { [(service, Plan.port), (node, Plan.nodePort), (external, Plan.port)] }
}

extension CommittedChange {
  init(_ previous: ResolvedServicePort?, _ current: ResolvedServicePort?) {
    self.init(key: current?.key ?? previous?.key ?? "", previous: previous, current: current)
  }
}

extension StaleFlows {
  /// On a node that has the plan's node address.
  func reason(_ flow: TrackedFlow, _ plan: Plan) -> StaleReason? { reason(for: flow) { $0 == plan.node } }
}
