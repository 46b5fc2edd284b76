import PluginAPI
import ProxyTesting

/// One row of the behaviour table: what is programmed, who knocks where, and what must come of it.
struct Row: Sendable, CustomStringConvertible {
  enum Expectation: Sendable {
    /// Each of the endpoints answers some, nobody else any; they see the client under its own address or one of the node's.
    case answers(Set<String>, client: Seen)
    case refused
    case dropped
    /// No endpoint; how the knock fails is the rest of the network's business.
    case nobody
  }

  enum Seen: Sendable {
    case own, node
    /// The node's when a pod reaches itself, else its own.
    case ownUnlessItself
  }

  struct Target: Sendable {
    var address: String
    var port: UInt16
  }

  var name: String
  var configuration: Configuration
  var family: UInt8
  var proto: UInt8
  var services: [TestService]
  var from: Vantage
  var to: Target
  var expectation: Expectation

  var description: String { "\(name), \(Sockets.name(proto)) over IPv\(family), with \(configuration.rawValue)" }
}

/// A row before family and protocol are chosen.
struct RowTemplate: Sendable {
  var name: String
  var protocols: [UInt8]
  var configuration: Configuration
  var families: [UInt8]
  var build: @Sendable (Scene) -> Scene.Content

  static let tcpAndUDP = [Sockets.tcp, Sockets.udp]
  static let everyProtocol = [Sockets.tcp, Sockets.udp, Sockets.sctp]

  init(
    _ name: String, _ protocols: [UInt8] = tcpAndUDP, with configuration: Configuration = .clusterNetworks, families: [UInt8] = [4, 6],
    _ build: @escaping @Sendable (Scene) -> Scene.Content
  ) {
    self.name = name
    self.protocols = protocols
    self.configuration = configuration
    self.families = families
    self.build = build
  }
}

/// Addresses and ports of one row's own, so that all rows of a configuration can stand in the kernel side by side.
struct Scene: Sendable {
  struct Content: Sendable {
    var services: [TestService]
    var from: Vantage
    var to: Row.Target
    var expectation: Row.Expectation
  }

  let plan: Plan
  let proto: UInt8
  let configuration: Configuration
  let slot: Int

  var nodePort: UInt16 { UInt16(30_000 + slot) }

  func service(_ frontends: [TestFrontend], _ endpoints: [TestEndpoint], tag: String = "", proto: UInt8? = nil) -> TestService {
    let proto = proto ?? self.proto
    return TestService(
      "row\(slot)/web:http\(tag)/\(Sockets.name(proto))/\(plan.family)", family: plan.family, proto: proto, frontends, endpoints)
  }

  func frontend(_ place: Place) -> TestFrontend {
    switch place {
    case .cluster: TestFrontend(SWL_PROXY_CLUSTER_IP, plan.cluster(slot), 80)
    case .nodePort: TestFrontend(SWL_PROXY_NODE_PORT, nil, nodePort)
    case .external: TestFrontend(SWL_PROXY_EXTERNAL_IP, plan.external(slot), 80)
    case .loadBalancer: TestFrontend(SWL_PROXY_LOAD_BALANCER, plan.external(slot), 80)
    }
  }

  /// Where a client knocks to reach that front end.
  func target(_ place: Place) -> Row.Target {
    switch place {
    case .cluster: Row.Target(address: plan.cluster(slot), port: 80)
    case .nodePort: Row.Target(address: plan.node, port: nodePort)
    case .external, .loadBalancer: Row.Target(address: plan.external(slot), port: 80)
    }
  }

  /// How the endpoint must see a client that is served by a front end of that policy.
  func seen(_ client: Vantage, _ policy: swl_proxy_masquerade_t) -> Row.Seen {
    switch policy {
    case _ where client == .node: .node
    case SWL_PROXY_MASQUERADE_ALWAYS: .node
    case SWL_PROXY_MASQUERADE_FROM_OUTSIDE where configuration.tellsPodsApart && !configuration.isPod(client): .node
    default: .ownUnlessItself
    }
  }
}

/// The kinds of front ends.
enum Place: String, Sendable, CaseIterable {
  case cluster = "cluster address"
  case nodePort = "node port"
  case external = "external address"
  case loadBalancer = "load balancer address"
}

extension Row {
  static let templates: [RowTemplate] =
    RowTemplate.frontends + RowTemplate.nodePorts + RowTemplate.masquerading + RowTemplate.hairpins + RowTemplate.selections
    + RowTemplate.detectedSelections + RowTemplate.empties + RowTemplate.sourceRanges + RowTemplate.serviceNetworks + RowTemplate.shapes
    + RowTemplate.settings

  static let all: [Row] = {
    var rows: [Row] = []
    var slot = 0
    for template in templates {
      for proto in template.protocols {
        for family in template.families {
          let scene = Scene(plan: .of(family), proto: proto, configuration: template.configuration, slot: slot)
          let content = template.build(scene)
          rows.append(
            Row(
              name: template.name, configuration: template.configuration, family: family, proto: proto, services: content.services,
              from: content.from, to: content.to, expectation: content.expectation))
        }
        slot += 1
      }
    }
    return rows
  }()
}
