import PluginAPI
import ProxyTesting

extension RowTemplate {
  private static let policies = [
    (SWL_PROXY_MASQUERADE_HAIRPIN, "masquerade hairpin"), (SWL_PROXY_MASQUERADE_FROM_OUTSIDE, "masquerade from outside"),
    (SWL_PROXY_MASQUERADE_ALWAYS, "masquerade always"),
  ]
  private static let detections: [Configuration] = [.clusterNetworks, .podInterface, .podInterfacePrefix, .undetected]

  /// Each policy, each way to tell pods from others, each client.
  static let masquerading: [RowTemplate] = policies.flatMap { policy, words in
    detections.flatMap { detection in
      [Vantage.outside, .node, .podA, .podB, .remote].map { client in
        RowTemplate("\(words) \(client.words)", with: detection) { scene in
          Scene.Content(
            services: [scene.service([scene.frontend(.cluster).masquerading(policy)], [scene.plan.endpointA, scene.plan.endpointB])],
            from: client, to: scene.target(.cluster), expectation: .answers(["A", "B"], client: scene.seen(client, policy)))
        }
      }
    }
  }

  /// A pod that reaches itself, by each kind of front end and whatever the policy and the detection are.
  static let hairpins: [RowTemplate] =
    Place.allCases.map { place in
      RowTemplate("hairpin by the \(place.rawValue)", everyProtocol) { scene in
        Scene.Content(
          services: [scene.service([scene.frontend(place)], [scene.plan.endpointA])], from: .podA, to: scene.target(place),
          expectation: .answers(["A"], client: .node))
      }
    }
    + detections.flatMap { detection in
      policies.map { policy, words in
        RowTemplate("hairpin, \(words)", with: detection) { scene in
          Scene.Content(
            services: [scene.service([scene.frontend(.cluster).masquerading(policy)], [scene.plan.endpointB])], from: .podB,
            to: scene.target(.cluster), expectation: .answers(["B"], client: .node))
        }
      }
    } + [
      RowTemplate("hairpin by another port of the pod") { scene in
        Scene.Content(
          services: [
            scene.service(
              [scene.frontend(.cluster)], [.onNode(scene.plan.podA, Topology.port), .onNode(scene.plan.podA, Topology.otherPort)])
          ], from: .podA, to: scene.target(.cluster), expectation: .answers(["A", "A:8443"], client: .node))
      },
      RowTemplate("no hairpin of a local front end") { scene in
        Scene.Content(
          services: [scene.service([scene.frontend(.loadBalancer).selecting(SWL_PROXY_SELECT_LOCAL)], [scene.plan.endpointA])],
          from: .podB, to: scene.target(.loadBalancer), expectation: .answers(["A"], client: .own))
      },
      RowTemplate("hairpin of a local front end") { scene in
        Scene.Content(
          services: [scene.service([scene.frontend(.loadBalancer).selecting(SWL_PROXY_SELECT_LOCAL)], [scene.plan.endpointA])],
          from: .podA, to: scene.target(.loadBalancer), expectation: .answers(["A"], client: .node))
      },
      RowTemplate("hairpin of a near front end") { scene in
        let frontend = scene.frontend(.external).selecting(SWL_PROXY_SELECT_LOCAL).flagged(SWL_PROXY_FRONTEND_NEAR)
        return Scene.Content(
          services: [scene.service([frontend], [scene.plan.endpointB, scene.plan.endpointA])], from: .podA, to: scene.target(.external),
          expectation: .answers(["A", "B"], client: .ownUnlessItself))
      },
    ]
}
