import PluginAPI
import ProxyTesting

extension RowTemplate {
  /// Services of other shapes: several ports, several addresses, many endpoints, what Services share.
  static let shapes: [RowTemplate] = ports + sharing + sizes + strangers

  private static func twoPorts(_ scene: Scene, _ place: Place, knocking second: Bool) -> Scene.Content {
    var other = scene.frontend(place)
    if place == .nodePort { other.port += 2000 } else { other.port = 443 }
    let services = [
      scene.service([scene.frontend(place)], [.onNode(scene.plan.podA, Topology.port), .onNode(scene.plan.podB, Topology.port)]),
      scene.service(
        [other], [.onNode(scene.plan.podA, Topology.otherPort), .onNode(scene.plan.podB, Topology.otherPort)], tag: "s"),
    ]
    var target = scene.target(place)
    if second { target.port = other.port }
    return Scene.Content(
      services: services, from: .outside, to: target, expectation: .answers(second ? ["A:8443", "B:8443"] : ["A", "B"], client: .own))
  }

  private static let ports: [RowTemplate] =
    Place.allCases.flatMap { place in
      [
        RowTemplate("first of two ports of the \(place.rawValue)") { twoPorts($0, place, knocking: false) },
        RowTemplate("second of two ports of the \(place.rawValue)") { twoPorts($0, place, knocking: true) },
      ]
    }
    + [UInt16(1), 65_535].map { port in
      RowTemplate("port \(port)", everyProtocol) { scene in
        Scene.Content(
          services: [scene.service([.clusterIP(scene.plan.cluster(scene.slot), port)], [scene.plan.endpointA])], from: .podB,
          to: Row.Target(address: scene.plan.cluster(scene.slot), port: port), expectation: .answers(["A"], client: .own))
      }
    } + [
      RowTemplate("two ports of one pod as endpoints", everyProtocol) { scene in
        Scene.Content(
          services: [
            scene.service(
              [scene.frontend(.cluster)], [.onNode(scene.plan.podB, Topology.port), .onNode(scene.plan.podB, Topology.otherPort)])
          ], from: .outside, to: scene.target(.cluster), expectation: .answers(["B", "B:8443"], client: .own))
      }
    ]

  private static let sharing: [RowTemplate] =
    [Place.cluster, .nodePort, .external, .loadBalancer].map { place in
      // Each row knocks with its own protocol and must find its own endpoint.
      RowTemplate("\(place.rawValue) of one number for three protocols", everyProtocol) { scene in
        let ends = [
          (Sockets.tcp, scene.plan.endpointA, "A"), (Sockets.udp, scene.plan.endpointB, "B"),
          (Sockets.sctp, scene.plan.endpointRemote, "C"),
        ]
        return Scene.Content(
          services: ends.map { scene.service([scene.frontend(place)], [$0.1], proto: $0.0) }, from: .outside, to: scene.target(place),
          expectation: .answers(Set(ends.filter { $0.0 == scene.proto }.map(\.2)), client: .own))
      }
    }
    + [Place.cluster, .nodePort, .external].map { place in
      RowTemplate("one service with every kind of front end, at the \(place.rawValue)") { scene in
        let frontends =
          [Place.cluster, .nodePort, .external].map(scene.frontend)
          + [TestFrontend(SWL_PROXY_LOAD_BALANCER, scene.plan.external(scene.slot + 2000), 80)]
        return Scene.Content(
          services: [scene.service(frontends, [scene.plan.endpointA, scene.plan.endpointB])], from: .outside, to: scene.target(place),
          expectation: .answers(["A", "B"], client: .own))
      }
    }
    + [false, true].map { second in
      RowTemplate("\(second ? "second" : "first") of two external addresses") { scene in
        let other = TestFrontend(SWL_PROXY_EXTERNAL_IP, scene.plan.external(scene.slot + 2000), 80)
        return Scene.Content(
          services: [scene.service([scene.frontend(.external), other], [scene.plan.endpointA])], from: .podB,
          to: second ? Row.Target(address: scene.plan.external(scene.slot + 2000), port: 80) : scene.target(.external),
          expectation: .answers(["A"], client: .own))
      }
    }
    + [false, true].map { second in
      RowTemplate("an endpoint of several services, by the \(second ? "second" : "first")") { scene in
        let other = scene.plan.cluster(scene.slot + 2000)
        return Scene.Content(
          services: [
            scene.service([scene.frontend(.cluster)], [scene.plan.endpointA]),
            scene.service([.clusterIP(other, 8080).masquerading(SWL_PROXY_MASQUERADE_ALWAYS)], [scene.plan.endpointA], tag: "s"),
          ], from: .outside, to: second ? Row.Target(address: other, port: 8080) : scene.target(.cluster),
          expectation: .answers(["A"], client: second ? .node : .own))
      }
    } + [
      RowTemplate("one policy at one front end, another at the next") { scene in
        Scene.Content(
          services: [
            scene.service(
              [scene.frontend(.cluster).masquerading(SWL_PROXY_MASQUERADE_ALWAYS), scene.frontend(.external)], [scene.plan.endpointA])
          ], from: .outside, to: scene.target(.external), expectation: .answers(["A"], client: .own))
      }
    ]

  private static let sizes: [RowTemplate] =
    [Place.cluster, .nodePort].map { place in
      RowTemplate("64 endpoints at the \(place.rawValue)") { scene in
        Scene.Content(
          services: [scene.service([scene.frontend(place)], scene.plan.crowdEndpoints)], from: .outside, to: scene.target(place),
          expectation: .answers(Set((1...Plan.crowd).map { "crowd\($0)" }), client: .own))
      }
    }
    + [1, 2, 3, 7].map { count in
      RowTemplate("\(count) endpoints") { scene in
        Scene.Content(
          services: [scene.service([scene.frontend(.cluster)], Array(scene.plan.crowdEndpoints.prefix(count)))], from: .podA,
          to: scene.target(.cluster), expectation: .answers(Set((1...count).map { "crowd\($0)" }), client: .own))
      }
    }

  /// What the Service does not hold.
  private static let strangers: [RowTemplate] = [
    RowTemplate("another port of the address") { scene in
      Scene.Content(
        services: [scene.service([scene.frontend(.cluster)], [scene.plan.endpointA])], from: .podB,
        to: Row.Target(address: scene.plan.cluster(scene.slot), port: 81), expectation: .nobody)
    },
    RowTemplate("another address") { scene in
      Scene.Content(
        services: [scene.service([scene.frontend(.cluster)], [scene.plan.endpointA])], from: .podB,
        to: Row.Target(address: scene.plan.cluster(scene.slot + 2000), port: 80), expectation: .nobody)
    },
    RowTemplate("another protocol", everyProtocol) { scene in
      let others = everyProtocol.filter { $0 != scene.proto }
      return Scene.Content(
        services: others.map { scene.service([scene.frontend(.cluster)], [scene.plan.endpointA], proto: $0) }, from: .podB,
        to: scene.target(.cluster), expectation: .nobody)
    },
    RowTemplate("another node port") { scene in
      Scene.Content(
        services: [scene.service([scene.frontend(.nodePort)], [scene.plan.endpointA])], from: .outside,
        to: Row.Target(address: scene.plan.node, port: scene.nodePort + 2500), expectation: .nobody)
    },
    RowTemplate("an endpoint reached directly", everyProtocol) { scene in
      Scene.Content(
        services: [scene.service([scene.frontend(.cluster).masquerading(SWL_PROXY_MASQUERADE_ALWAYS)], [scene.plan.endpointA])],
        from: .outside, to: Row.Target(address: scene.plan.podA, port: Topology.port), expectation: .answers(["A"], client: .own))
    },
    RowTemplate("a service port without front ends") { scene in
      Scene.Content(
        services: [scene.service([], [scene.plan.endpointA])], from: .podB, to: scene.target(.cluster), expectation: .nobody)
    },
  ]
}
