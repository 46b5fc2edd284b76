import PluginAPI
import PluginKit

/// What one service port asks of its family's table.
package struct ServicePort: Equatable, Sendable {
  package var key: String
  package var family: Family
  package var frontends: [(key: FrontendKey, state: FrontendState)] = []
  /// Endpoint addresses on this node, each once.
  package var hairpins: [Address] = []

  package init(key: String, family: Family) {
    self.key = key
    self.family = family
  }

  package static func == (left: ServicePort, right: ServicePort) -> Bool {
    left.key == right.key && left.family == right.family && left.hairpins == right.hairpins
      && left.frontends.elementsEqual(right.frontends) { $0 == $1 }
  }
}

/// One thing to change in one table; the smallest part of a transaction.
package enum Change: Equatable, Sendable {
  case upsert(ServicePort)
  case removal(key: String, Family)
  /// Front ends found in the kernel that nobody claimed.
  case sweep([FrontendKey], Family)

  package var family: Family {
    switch self {
    case .upsert(let port): port.family
    case .removal(_, let family), .sweep(_, let family): family
    }
  }

  package var serviceKey: String? {
    switch self {
    case .upsert(let port): port.key
    case .removal(let key, _): key
    case .sweep: nil
    }
  }
}

extension ServicePort {
  /// Reads a service port from the host's memory. `fault` says why it cannot be programmed; what could be read is there all the
  /// same, so that its previous state can be told from something nobody wants.
  package static func read(_ raw: swl_proxy_service_t) -> (port: ServicePort, fault: BackendFault?) {
    let key = raw.key.text
    guard let family = Family(rawValue: raw.family) else {
      return (ServicePort(key: key, family: .ipv4), BackendFault(.invalid, "\(key): \(raw.family) is not an IP family"))
    }
    var port = ServicePort(key: key, family: family)
    var endpoints = EndpointLists()
    var fault: BackendFault?
    for endpoint in raw.endpointViews {
      guard endpoint.address.family == raw.family, endpoint.port != 0 else {
        fault = BackendFault(.invalid, "\(key): an endpoint has no port or is of the other IP family")
        continue
      }
      endpoints.append(Endpoint(address: Address(endpoint.address, family), port: endpoint.port), flags: endpoint.flags)
    }
    port.hairpins = endpoints.onNode
    for frontend in raw.frontendViews {
      do throws(BackendFault) {
        let (frontendKey, state) = try read(frontend, raw.protocol, family, endpoints, owner: key)
        if port.frontends.contains(where: { $0.key == frontendKey }) { continue }
        port.frontends.append((frontendKey, state))
      } catch {
        fault = BackendFault(error.status, "\(key): \(error.message)")
      }
    }
    if ![Protocol.tcp, Protocol.udp, Protocol.sctp].contains(raw.protocol) {
      fault = BackendFault(.unsupported, "\(key): IP protocol \(raw.protocol) is not TCP, UDP or SCTP")
    } else if raw.affinity_seconds != 0 {
      fault = BackendFault(.unsupported, "\(key): session affinity is not supported yet by the nftables backend")
    } else if max(endpoints.cluster.count, endpoints.local.count) >= ServiceClass.maximumEndpoints {
      fault = BackendFault(.unsupported, "\(key): more than \(ServiceClass.maximumEndpoints - 1) endpoints")
    }
    return (port, fault)
  }

  private static func read(
    _ raw: swl_proxy_frontend_t, _ proto: UInt8, _ family: Family, _ endpoints: EndpointLists, owner: String
  ) throws(BackendFault) -> (FrontendKey, FrontendState) {
    guard raw.address.family == family.rawValue, raw.port != 0 else {
      throw BackendFault(.invalid, "a front end has no port or is of the other IP family")
    }
    guard let masquerade = UInt32(exactly: raw.masquerade).flatMap({ ServiceClass.Masquerade(rawValue: $0) }) else {
      throw BackendFault(.unsupported, "masquerade policy \(raw.masquerade) is not known")
    }
    let address = Address(raw.address, family)
    let isNodePort = raw.kind == SWL_PROXY_NODE_PORT && address == Address()
    let selected: [Endpoint]
    switch raw.selection {
    case SWL_PROXY_SELECT_CLUSTER: selected = endpoints.cluster
    case SWL_PROXY_SELECT_LOCAL: selected = endpoints.local
    default: throw BackendFault(.unsupported, "endpoint selection \(raw.selection) is not known")
    }
    var serviceClass = ServiceClass(endpoints: selected.count, masquerade: masquerade)
    if selected.isEmpty {
      switch raw.when_empty {
      case SWL_PROXY_EMPTY_REFUSE: serviceClass = .refuse
      case SWL_PROXY_EMPTY_DROP: serviceClass = .discard
      default: throw BackendFault(.unsupported, "answer \(raw.when_empty) of a front end without endpoints is not known")
      }
    }
    let key = FrontendKey(address: address, port: raw.port, proto: proto, isNodePort: isNodePort)
    return (key, FrontendState(endpoints: selected, serviceClass: serviceClass, owner: owner))
  }
}

/// A service port's endpoints by who may choose them. Front ends with one selection share one array.
private struct EndpointLists {
  var cluster: [Endpoint] = []
  var local: [Endpoint] = []
  var onNode: [Address] = []

  mutating func append(_ endpoint: Endpoint, flags: UInt64) {
    if flags & SWL_PROXY_ENDPOINT_CLUSTER != 0 { cluster.append(endpoint) }
    if flags & SWL_PROXY_ENDPOINT_LOCAL != 0 { local.append(endpoint) }
    if flags & SWL_PROXY_ENDPOINT_ON_NODE != 0, !onNode.contains(endpoint.address) { onNode.append(endpoint.address) }
  }
}
