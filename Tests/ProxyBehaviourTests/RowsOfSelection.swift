import PluginAPI
import ProxyTesting

/// Endpoints in the four ways flags can stand.
private enum Endpoints: String, CaseIterable {
  /// A is local, B is not.
  case oneLocal = "one local endpoint"
  case noneLocal = "no local endpoint"
  /// As terminating endpoints that still serve outside traffic.
  case onlyLocal = "only a local endpoint"
  case none = "no endpoint"

  func list(_ plan: Plan) -> [TestEndpoint] {
    let cluster = SWL_PROXY_ENDPOINT_CLUSTER | SWL_PROXY_ENDPOINT_ON_NODE
    let local = SWL_PROXY_ENDPOINT_LOCAL | SWL_PROXY_ENDPOINT_ON_NODE
    let b = TestEndpoint(plan.podB, Topology.port, flags: cluster)
    switch self {
    case .oneLocal: return [plan.endpointA, b]
    case .noneLocal: return [b]
    case .onlyLocal: return [TestEndpoint(plan.podA, Topology.port, flags: local)]
    case .none: return []
    }
  }

  var cluster: Set<String> {
    switch self {
    case .oneLocal: ["A", "B"]
    case .noneLocal: ["B"]
    case .onlyLocal, .none: []
    }
  }

  var local: Set<String> { self == .oneLocal || self == .onlyLocal ? ["A"] : [] }
}

private let answersToEmpty = [(SWL_PROXY_EMPTY_REFUSE, "refused"), (SWL_PROXY_EMPTY_DROP, "dropped")]

extension RowTemplate {
  private static func selection(
    _ place: Place, _ client: Vantage, _ endpoints: Endpoints, isNear: Bool, empty: (swl_proxy_empty_t, String),
    _ protocols: [UInt8], with configuration: Configuration = .clusterNetworks
  ) -> RowTemplate {
    let whenEmpty = empty.0
    let name =
      "\(isNear ? "local but for near clients" : "local") \(place.rawValue) \(client.words), \(endpoints.rawValue), else \(empty.1)"
    return RowTemplate(name, protocols, with: configuration) { scene in
      var frontend = scene.frontend(place).selecting(SWL_PROXY_SELECT_LOCAL).whenEmpty(whenEmpty)
      if isNear { frontend = frontend.flagged(SWL_PROXY_FRONTEND_NEAR) }
      let clientIsNear = client == .node || configuration.isPod(client)
      let selected = isNear && clientIsNear ? endpoints.cluster : endpoints.local
      let seen = scene.seen(client, SWL_PROXY_MASQUERADE_HAIRPIN)
      return Scene.Content(
        services: [scene.service([frontend], endpoints.list(scene.plan))], from: client, to: scene.target(place),
        expectation: selected.isEmpty
          ? nobody(whenEmpty, isNear: isNear && clientIsNear) : .answers(selected, client: seen))
    }
  }

  /// A backend may refuse near clients that find nobody where it would drop others.
  private static func nobody(_ answer: swl_proxy_empty_t, isNear: Bool) -> Row.Expectation {
    if answer == SWL_PROXY_EMPTY_REFUSE { return .refused }
    return isNear ? .nobody : .dropped
  }

  /// Local selection, with and without the exception for near clients, by each client, with endpoints to select and without.
  static let selections: [RowTemplate] =
    [Place.nodePort, .external, .loadBalancer].flatMap { place in
      Endpoints.allCases.flatMap { endpoints in
        [false, true].flatMap { isNear in
          [Vantage.outside, .node, .podA, .podB].flatMap { client -> [RowTemplate] in
            let isEmpty = (isNear && client != .outside ? endpoints.cluster : endpoints.local).isEmpty
            // Both answers where there is one to give.
            return answersToEmpty.prefix(isEmpty ? 2 : 1).map { empty in
              selection(place, client, endpoints, isNear: isNear, empty: empty, place == .loadBalancer ? tcpAndUDP : [Sockets.tcp])
            }
          }
        }
      }
    } + internalLocal

  /// Who is near depends on how pods are told from others.
  static let detectedSelections: [RowTemplate] = [Configuration.podInterface, .podInterfacePrefix, .undetected].flatMap { configuration in
    [Vantage.outside, .node, .podA, .podB, .remote].flatMap { client in
      [
        selection(.loadBalancer, client, .oneLocal, isNear: true, empty: answersToEmpty[0], [Sockets.tcp], with: configuration),
        selection(.nodePort, client, .noneLocal, isNear: true, empty: answersToEmpty[1], [Sockets.udp], with: configuration),
      ]
    }
  }

  /// A Service that keeps inside traffic on the node.
  private static let internalLocal: [RowTemplate] =
    [Vantage.node, .podA, .podB].flatMap { client in
      [Endpoints.oneLocal, .noneLocal].map { selection(.cluster, client, $0, isNear: false, empty: answersToEmpty[1], tcpAndUDP) }
    } + [
      RowTemplate("a cluster address beside a local node port") { scene in
        Scene.Content(
          services: [
            scene.service(
              [scene.frontend(.cluster), scene.frontend(.nodePort).selecting(SWL_PROXY_SELECT_LOCAL)], Endpoints.oneLocal.list(scene.plan))
          ], from: .outside, to: scene.target(.cluster), expectation: .answers(["A", "B"], client: .own))
      },
      RowTemplate("near and always masqueraded, from a pod") { scene in
        let frontend = scene.frontend(.loadBalancer).selecting(SWL_PROXY_SELECT_LOCAL).flagged(SWL_PROXY_FRONTEND_NEAR)
          .masquerading(SWL_PROXY_MASQUERADE_ALWAYS)
        return Scene.Content(
          services: [scene.service([frontend], Endpoints.oneLocal.list(scene.plan))], from: .podB, to: scene.target(.loadBalancer),
          expectation: .answers(["A", "B"], client: .node))
      },
      RowTemplate("near, from a pod on another node that is a pod by the networks") { scene in
        let frontend = scene.frontend(.loadBalancer).selecting(SWL_PROXY_SELECT_LOCAL).flagged(SWL_PROXY_FRONTEND_NEAR)
        return Scene.Content(
          services: [scene.service([frontend], Endpoints.oneLocal.list(scene.plan))], from: .remote, to: scene.target(.loadBalancer),
          expectation: .answers(["A", "B"], client: .own))
      },
      RowTemplate("near asks for nothing where everything is selected") { scene in
        Scene.Content(
          services: [
            scene.service([scene.frontend(.external).flagged(SWL_PROXY_FRONTEND_NEAR)], Endpoints.oneLocal.list(scene.plan))
          ], from: .outside, to: scene.target(.external), expectation: .answers(["A", "B"], client: .own))
      },
      RowTemplate("an endpoint without flags is never selected") { scene in
        Scene.Content(
          services: [
            scene.service([scene.frontend(.cluster)], [scene.plan.endpointA, TestEndpoint(scene.plan.podB, Topology.port, flags: 0)])
          ], from: .outside, to: scene.target(.cluster), expectation: .answers(["A"], client: .own))
      },
    ]

  /// A Service without endpoints, by each kind of front end and from each client.
  static let empties: [RowTemplate] = Place.allCases.flatMap { place in
    [Vantage.outside, .node, .podB, .remote].flatMap { client in
      answersToEmpty.map { whenEmpty, words in
        RowTemplate(
          "no endpoint at the \(place.rawValue) \(client.words), \(words)",
          place == .cluster || client == .outside ? everyProtocol : tcpAndUDP
        ) { scene in
          Scene.Content(
            services: [scene.service([scene.frontend(place).whenEmpty(whenEmpty)], [])], from: client, to: scene.target(place),
            expectation: whenEmpty == SWL_PROXY_EMPTY_DROP ? .dropped : .refused)
        }
      }
    }
  }
}
