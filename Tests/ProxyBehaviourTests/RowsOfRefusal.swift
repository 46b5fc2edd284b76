import PluginAPI
import ProxyTesting

extension RowTemplate {
  private static func ranges(
    _ name: String, _ place: Place = .loadBalancer, _ protocols: [UInt8] = [Sockets.tcp], from client: Vantage,
    _ ranges: @escaping @Sendable (Plan) -> [String], answers: Bool, flags: UInt64 = SWL_PROXY_FRONTEND_SOURCE_RANGES
  ) -> RowTemplate {
    RowTemplate(name, protocols) { scene in
      var service = scene.service([scene.frontend(place).flagged(flags)], [scene.plan.endpointA, scene.plan.endpointB])
      service.sourceRanges = ranges(scene.plan)
      return Scene.Content(
        services: [service], from: client, to: scene.target(place),
        expectation: answers ? .answers(["A", "B"], client: scene.seen(client, SWL_PROXY_MASQUERADE_HAIRPIN)) : .dropped)
    }
  }

  private static func one(_ client: Vantage) -> @Sendable (Plan) -> [String] {
    { plan in ["\(client.address(plan))/\(plan.family == 4 ? 32 : 128)"] }
  }

  private static let bits: @Sendable (Plan) -> String = { $0.family == 4 ? "32" : "128" }

  /// Source ranges: who is in, who is not, and lists as users write them.
  static let sourceRanges: [RowTemplate] =
    [
      ranges("a client in the source ranges", .loadBalancer, everyProtocol, from: .outside, one(.outside), answers: true),
      ranges("a client outside of the source ranges", .loadBalancer, everyProtocol, from: .guest, one(.outside), answers: false),
      ranges("the other client in the source ranges", from: .guest, one(.guest), answers: true),
      ranges("a pod in the source ranges", from: .podB, one(.podB), answers: true),
      ranges("a pod outside of the source ranges", from: .podB, one(.podA), answers: false),
      ranges("a pod that reaches itself in the source ranges", from: .podA, one(.podA), answers: true),
      ranges("a pod on another node in the source ranges", from: .remote, one(.remote), answers: true),
      ranges("a pod on another node outside of the source ranges", from: .remote, one(.podA), answers: false),
      ranges("the node in the source ranges", from: .node, one(.node), answers: true),
      ranges("the node outside of the source ranges", from: .node, one(.outside), answers: false),
      ranges("no source ranges", from: .outside, { _ in [] }, answers: false),
      ranges(
        "several source ranges", from: .outside,
        { ["\($0.podA)/\(bits($0))", "\($0.crowd(0))/\($0.prefix)", "\($0.outside)/\(bits($0))"] },
        answers: true),
      ranges(
        "overlapping source ranges, in the small one", from: .outside, { ["\($0.outside)/\(bits($0))", "\($0.outside)/\($0.prefix)"] },
        answers: true),
      ranges(
        "overlapping source ranges, in the large one", from: .guest, { ["\($0.outside)/\(bits($0))", "\($0.outside)/\($0.prefix)"] },
        answers: true),
      ranges(
        "adjacent source ranges", from: .outside,
        { $0.family == 4 ? ["192.0.2.0/31", "192.0.2.2/31"] : ["fd00:c::/127", "fd00:c::2/127"] }, answers: true),
      ranges(
        "a source range just beside", from: .outside,
        { $0.family == 4 ? ["192.0.2.0/31", "192.0.2.4/30"] : ["fd00:c::/127", "fd00:c::4/126"] }, answers: false),
      ranges("the same source range twice", from: .outside, { ["\($0.outside)/\(bits($0))", "\($0.outside)/\(bits($0))"] }, answers: true),
      ranges("a source range of everybody", from: .guest, { [$0.family == 4 ? "0.0.0.0/0" : "::/0"] }, answers: true),
      ranges("a source range with host bits", from: .guest, { ["\($0.outside)/\($0.prefix)"] }, answers: true),
      ranges("source ranges nobody asked for", from: .guest, one(.outside), answers: true, flags: 0),
    ]
    + [Place.cluster, .nodePort, .external].flatMap { place in
      [
        ranges("source ranges at the \(place.rawValue), inside", place, tcpAndUDP, from: .outside, one(.outside), answers: true),
        ranges("source ranges at the \(place.rawValue), outside", place, tcpAndUDP, from: .guest, one(.outside), answers: false),
      ]
    } + [
      RowTemplate("a front end beside one with source ranges") { scene in
        var service = scene.service(
          [scene.frontend(.cluster), scene.frontend(.loadBalancer).flagged(SWL_PROXY_FRONTEND_SOURCE_RANGES)], [scene.plan.endpointA])
        service.sourceRanges = one(.outside)(scene.plan)
        return Scene.Content(
          services: [service], from: .guest, to: scene.target(.cluster), expectation: .answers(["A"], client: .own))
      },
      RowTemplate("in the source ranges, but no endpoint") { scene in
        var service = scene.service([scene.frontend(.loadBalancer).flagged(SWL_PROXY_FRONTEND_SOURCE_RANGES)], [])
        service.sourceRanges = one(.outside)(scene.plan)
        return Scene.Content(services: [service], from: .outside, to: scene.target(.loadBalancer), expectation: .refused)
      },
      RowTemplate("near, local and in the source ranges, from a pod") { scene in
        let frontend = scene.frontend(.loadBalancer).selecting(SWL_PROXY_SELECT_LOCAL)
          .flagged(SWL_PROXY_FRONTEND_NEAR | SWL_PROXY_FRONTEND_SOURCE_RANGES)
        var service = scene.service([frontend], [scene.plan.endpointB])
        service.sourceRanges = one(.podA)(scene.plan)
        return Scene.Content(
          services: [service], from: .podA, to: scene.target(.loadBalancer), expectation: .answers(["B"], client: .own))
      },
      RowTemplate("near does not open the source ranges") { scene in
        let frontend = scene.frontend(.loadBalancer).selecting(SWL_PROXY_SELECT_LOCAL)
          .flagged(SWL_PROXY_FRONTEND_NEAR | SWL_PROXY_FRONTEND_SOURCE_RANGES)
        var service = scene.service([frontend], [scene.plan.endpointA])
        service.sourceRanges = one(.outside)(scene.plan)
        return Scene.Content(services: [service], from: .podB, to: scene.target(.loadBalancer), expectation: .dropped)
      },
      RowTemplate("source ranges and always masqueraded") { scene in
        // The range is asked of the client's own address.
        let frontend = scene.frontend(.loadBalancer).masquerading(SWL_PROXY_MASQUERADE_ALWAYS).flagged(SWL_PROXY_FRONTEND_SOURCE_RANGES)
        var service = scene.service([frontend], [scene.plan.endpointA])
        service.sourceRanges = one(.outside)(scene.plan)
        return Scene.Content(
          services: [service], from: .outside, to: scene.target(.loadBalancer), expectation: .answers(["A"], client: .node))
      },
    ]

  /// Ranges of cluster addresses: what no front end holds in them is refused, and nothing else is.
  static let serviceNetworks: [RowTemplate] =
    [Vantage.outside, .node, .podB, .remote].map { client in
      RowTemplate("an address nobody holds \(client.words)", everyProtocol, with: .serviceNetworks) { scene in
        Scene.Content(services: [], from: client, to: scene.target(.cluster), expectation: .refused)
      }
    }
    + [Vantage.outside, .node, .podA].flatMap { client in
      [
        RowTemplate("a port nobody holds \(client.words)", with: .serviceNetworks) { scene in
          Scene.Content(
            services: [scene.service([scene.frontend(.cluster)], [scene.plan.endpointA])], from: client,
            to: Row.Target(address: scene.plan.cluster(scene.slot), port: 81), expectation: .refused)
        },
        RowTemplate("a service in the networks \(client.words)", with: .serviceNetworks) { scene in
          Scene.Content(
            services: [scene.service([scene.frontend(.cluster)], [scene.plan.endpointA, scene.plan.endpointB])], from: client,
            to: scene.target(.cluster),
            expectation: .answers(["A", "B"], client: scene.seen(client, SWL_PROXY_MASQUERADE_HAIRPIN)))
        },
      ]
    } + [
      RowTemplate("another protocol than the one held", with: .serviceNetworks) { scene in
        let other = scene.proto == Sockets.tcp ? Sockets.udp : Sockets.tcp
        return Scene.Content(
          services: [scene.service([scene.frontend(.cluster)], [scene.plan.endpointA], proto: other)], from: .podB,
          to: scene.target(.cluster), expectation: .refused)
      },
      RowTemplate("no endpoint stays silent in the networks", with: .serviceNetworks) { scene in
        Scene.Content(
          services: [scene.service([scene.frontend(.cluster).whenEmpty(SWL_PROXY_EMPTY_DROP)], [])], from: .podB,
          to: scene.target(.cluster), expectation: .dropped)
      },
      RowTemplate("no endpoint is refused in the networks", with: .serviceNetworks) { scene in
        Scene.Content(
          services: [scene.service([scene.frontend(.cluster)], [])], from: .podB, to: scene.target(.cluster), expectation: .refused)
      },
      RowTemplate("node port beside the networks", with: .serviceNetworks) { scene in
        Scene.Content(
          services: [scene.service([scene.frontend(.nodePort)], [scene.plan.endpointA])], from: .outside, to: scene.target(.nodePort),
          expectation: .answers(["A"], client: .own))
      },
      RowTemplate("external address beside the networks", with: .serviceNetworks) { scene in
        Scene.Content(
          services: [scene.service([scene.frontend(.external)], [scene.plan.endpointA])], from: .podB, to: scene.target(.external),
          expectation: .answers(["A"], client: .own))
      },
      RowTemplate("a host outside, reached without a service", everyProtocol, with: .serviceNetworks) { scene in
        Scene.Content(
          services: [], from: .podA, to: Row.Target(address: scene.plan.outside, port: Topology.port),
          expectation: .answers(["outside"], client: .own))
      },
      RowTemplate("a pod, reached without a service", everyProtocol, with: .serviceNetworks) { scene in
        Scene.Content(
          services: [], from: .outside, to: Row.Target(address: scene.plan.podA, port: Topology.port),
          expectation: .answers(["A"], client: .own))
      },
    ]
}
