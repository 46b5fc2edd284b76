import PluginAPI
import ProxyTesting

extension RowTemplate {
  /// Each kind of front end, each protocol, each client.
  static let frontends: [RowTemplate] = Place.allCases.flatMap { place in
    Vantage.allCases.map { client in
      RowTemplate("\(place.rawValue) \(client.words)", everyProtocol) { scene in
        // As clusters have it: outside traffic to node ports is masqueraded, that to a cluster address not.
        let policy =
          switch place {
          case .cluster: SWL_PROXY_MASQUERADE_HAIRPIN
          case .nodePort: SWL_PROXY_MASQUERADE_ALWAYS
          case .external, .loadBalancer: SWL_PROXY_MASQUERADE_FROM_OUTSIDE
          }
        let plan = scene.plan
        // A pod of another node that is its own endpoint is that node's hairpin.
        let isRemote = client == .remote
        let service = scene.service(
          [scene.frontend(place).masquerading(policy)], [plan.endpointA, plan.endpointB] + (isRemote ? [] : [plan.endpointRemote]))
        return Scene.Content(
          services: [service], from: client, to: scene.target(place),
          expectation: .answers(isRemote ? ["A", "B"] : ["A", "B", "C"], client: scene.seen(client, policy)))
      }
    }
  }

  static let nodePorts: [RowTemplate] = nodePortAddresses + nodePortNetworks + localhost

  private static func nodePort(
    _ name: String, with configuration: Configuration = .clusterNetworks, families: [UInt8] = [4, 6], from client: Vantage,
    at address: @escaping @Sendable (Scene) -> String, answers: Bool
  ) -> RowTemplate {
    RowTemplate(name, with: configuration, families: families) { scene in
      let frontend = scene.frontend(.nodePort).masquerading(SWL_PROXY_MASQUERADE_ALWAYS)
      return Scene.Content(
        services: [scene.service([frontend, scene.frontend(.cluster)], [scene.plan.endpointA, scene.plan.endpointB])], from: client,
        to: Row.Target(address: address(scene), port: scene.nodePort), expectation: answers ? .answers(["A", "B"], client: .node) : .nobody)
    }
  }

  private static let nodePortAddresses: [RowTemplate] = [
    nodePort("node port at the address towards pod A", from: .outside, at: { $0.plan.nodeTowardsA }, answers: true),
    nodePort("node port at the address towards pod B", from: .podA, at: { $0.plan.nodeTowardsB }, answers: true),
    nodePort("node port at a pod's own gateway", from: .podA, at: { $0.plan.nodeTowardsA }, answers: true),
    nodePort("node port at the address towards the other node", from: .remote, at: { $0.plan.nodeTowardsRemote }, answers: true),
    nodePort("node port at another address, from the node", from: .node, at: { $0.plan.nodeTowardsA }, answers: true),
    nodePort("node port is not at loopback", from: .node, at: { $0.plan.loopback }, answers: false),
    nodePort("node port is not at another loopback address", families: [4], from: .node, at: { _ in "127.1.2.3" }, answers: false),
    nodePort("node port is not at a pod's address", from: .outside, at: { $0.plan.podA }, answers: false),
    nodePort("node port is not at an outside host's address", from: .podB, at: { $0.plan.outside }, answers: false),
    nodePort("node port is not at the cluster address", from: .podB, at: { $0.plan.cluster($0.slot) }, answers: false),
    nodePort("node port is not at an address of nobody", from: .podB, at: { $0.plan.external($0.slot) }, answers: false),
  ]

  private static let nodePortNetworks: [RowTemplate] = [
    nodePort("node port inside of the networks", with: .nodePortNetworks, from: .outside, at: { $0.plan.node }, answers: true),
    nodePort("node port inside of the networks, from the node", with: .nodePortNetworks, from: .node, at: { $0.plan.node }, answers: true),
    nodePort("node port in a small network", with: .nodePortNetworks, from: .podB, at: { $0.plan.nodeTowardsA }, answers: true),
    nodePort("node port outside of the networks", with: .nodePortNetworks, from: .outside, at: { $0.plan.nodeTowardsB }, answers: false),
    nodePort(
      "node port outside of the networks, from the node", with: .nodePortNetworks, from: .node, at: { $0.plan.nodeTowardsB }, answers: false
    ),
    nodePort(
      "an address of a pod in the networks has no node port", with: .nodePortNetworks, from: .outside, at: { $0.plan.podA }, answers: false),
    nodePort("the family with a network", with: .oneFamilyOfNodePorts, families: [4], from: .outside, at: { $0.plan.node }, answers: true),
    nodePort(
      "the family without a network", with: .oneFamilyOfNodePorts, families: [6], from: .outside, at: { $0.plan.node }, answers: false),
    RowTemplate("the cluster address in the family without a network", with: .oneFamilyOfNodePorts, families: [6]) { scene in
      Scene.Content(
        services: [scene.service([scene.frontend(.nodePort), scene.frontend(.cluster)], [scene.plan.endpointA])], from: .outside,
        to: scene.target(.cluster), expectation: .answers(["A"], client: .own))
    },
  ]

  private static let localhost: [RowTemplate] = [
    nodePort("node port at loopback", with: .localhostNodePorts, families: [4], from: .node, at: { $0.plan.loopback }, answers: true),
    nodePort("node port elsewhere", with: .localhostNodePorts, from: .outside, at: { $0.plan.node }, answers: true),
    nodePort("node port elsewhere, from the node", with: .localhostNodePorts, from: .node, at: { $0.plan.node }, answers: true),
  ]

  /// The masquerade bit, and what else a setting must not change.
  static let settings: [RowTemplate] = [Configuration.lowestBit, .highestBit, .liberal].flatMap { configuration in
    [
      RowTemplate("masqueraded", with: configuration) { scene in
        Scene.Content(
          services: [scene.service([scene.frontend(.cluster).masquerading(SWL_PROXY_MASQUERADE_ALWAYS)], [scene.plan.endpointA])],
          from: .outside, to: scene.target(.cluster), expectation: .answers(["A"], client: .node))
      },
      RowTemplate("not masqueraded", with: configuration) { scene in
        Scene.Content(
          services: [scene.service([scene.frontend(.cluster)], [scene.plan.endpointA])], from: .outside, to: scene.target(.cluster),
          expectation: .answers(["A"], client: .own))
      },
      RowTemplate("hairpin", with: configuration) { scene in
        Scene.Content(
          services: [scene.service([scene.frontend(.cluster)], [scene.plan.endpointA])], from: .podA, to: scene.target(.cluster),
          expectation: .answers(["A"], client: .node))
      },
    ]
  }
}
