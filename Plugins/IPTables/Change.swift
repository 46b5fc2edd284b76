import PluginAPI
import PluginKit

/// What one service port asks of its family's rules.
package struct ServicePort: Equatable, Sendable {
  package var key: String
  package var family: Family
  package var proto: Protocol
  package var frontends: [Frontend] = []
  /// Answer at front ends that select the cluster's endpoints.
  package var cluster: [Endpoint] = []
  /// Answer at front ends that select local ones.
  package var local: [Endpoint] = []
  /// Addresses of endpoints on this node, each once.
  package var onNode: [Address] = []
  package var affinitySeconds: UInt32 = 0
  package var sourceRanges: [Network] = []
}

/// One thing to change in one family's rules.
package enum Change: Equatable, Sendable {
  case upsert(ServicePort)
  case removal(key: String, Family)
  /// The ports load balancers ask for the node's health, all of them.
  case healthChecks([UInt16], Family)

  /// Stands for those ports; no service port is called so (see `ServicePort.init`).
  package static let healthKey = ""

  package var key: String {
    switch self {
    case .upsert(let port): port.key
    case .removal(let key, _): key
    case .healthChecks: Self.healthKey
    }
  }

  package var family: Family {
    switch self {
    case .upsert(let port): port.family
    case .removal(_, let family), .healthChecks(_, let family): family
    }
  }
}

extension ServicePort {
  /// Longer keys would not fit the comment of a rule, 255 bytes in the kernel's xt_comment, with what else it says.
  package static let maximumKeyLength = 200
  /// So many rules in a row is what a new connection can be asked to walk.
  package static let maximumEndpoints = 8192

  /// Reads a service port from the host's memory.
  package init(_ raw: swl_proxy_service_t) throws(BackendFault) {
    let key = raw.key.text
    guard let family = Family(rawValue: raw.family) else { throw BackendFault(.invalid, "\(key): \(raw.family) is not an IP family") }
    guard let proto = Protocol(rawValue: raw.protocol) else {
      throw BackendFault(.unsupported, "\(key): IP protocol \(raw.protocol) is not TCP, UDP or SCTP")
    }
    self.init(key: key, family: family, proto: proto)
    guard !key.isEmpty, key.utf8.count <= Self.maximumKeyLength, key.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) else {
      throw BackendFault(.unsupported, "\(key): a key for iptables has 1 to \(Self.maximumKeyLength) bytes, none a control character")
    }
    affinitySeconds = raw.affinity_seconds
    for endpoint in raw.endpointViews { try append(endpoint) }
    guard max(cluster.count, local.count) <= Self.maximumEndpoints else {
      throw BackendFault(.unsupported, "\(key): more than \(Self.maximumEndpoints) endpoints")
    }
    for range in raw.sourceRangeViews {
      guard let network = Network(range, family) else {
        throw BackendFault(.invalid, "\(key): a source range is of the other IP family or makes no sense")
      }
      if !sourceRanges.contains(network) { sourceRanges.append(network) }
    }
    for frontend in raw.frontendViews {
      do throws(BackendFault) {
        let frontend = try Frontend(frontend, family)
        if !frontends.contains(where: { $0.address == frontend.address && $0.port == frontend.port }) { frontends.append(frontend) }
      } catch {
        throw BackendFault(error.status, "\(key): \(error.message)")
      }
    }
  }

  private mutating func append(_ raw: swl_proxy_endpoint_t) throws(BackendFault) {
    guard raw.address.family == family.rawValue, raw.port != 0 else {
      throw BackendFault(.invalid, "\(key): an endpoint has no port or is of the other IP family")
    }
    let endpoint = Endpoint(address: Address(raw.address, family), port: raw.port)
    if raw.flags & SWL_PROXY_ENDPOINT_CLUSTER != 0, !cluster.contains(endpoint) { cluster.append(endpoint) }
    if raw.flags & SWL_PROXY_ENDPOINT_LOCAL != 0, !local.contains(endpoint) { local.append(endpoint) }
    if raw.flags & SWL_PROXY_ENDPOINT_ON_NODE != 0, !onNode.contains(endpoint.address) { onNode.append(endpoint.address) }
  }
}

extension Frontend {
  fileprivate init(_ raw: swl_proxy_frontend_t, _ family: Family) throws(BackendFault) {
    guard raw.address.family == family.rawValue, raw.port != 0 else {
      throw BackendFault(.invalid, "a front end has no port or is of the other IP family")
    }
    let address = Address(raw.address, family)
    self.init(
      address: raw.kind == SWL_PROXY_NODE_PORT && address == Address() ? nil : address, port: raw.port, masquerade: .hairpin,
      selection: .cluster, whenEmpty: .refuse, isNear: raw.flags & SWL_PROXY_FRONTEND_NEAR != 0,
      hasSourceRanges: raw.flags & SWL_PROXY_FRONTEND_SOURCE_RANGES != 0, title: try Self.title(raw.kind))
    switch raw.masquerade {
    case SWL_PROXY_MASQUERADE_HAIRPIN: break
    case SWL_PROXY_MASQUERADE_FROM_OUTSIDE: masquerade = .outside
    case SWL_PROXY_MASQUERADE_ALWAYS: masquerade = .always
    default: throw BackendFault(.unsupported, "masquerade policy \(raw.masquerade) is not known")
    }
    switch raw.selection {
    case SWL_PROXY_SELECT_CLUSTER: break
    case SWL_PROXY_SELECT_LOCAL: selection = .local
    default: throw BackendFault(.unsupported, "endpoint selection \(raw.selection) is not known")
    }
    switch raw.when_empty {
    case SWL_PROXY_EMPTY_REFUSE: break
    case SWL_PROXY_EMPTY_DROP: whenEmpty = .drop
    default: throw BackendFault(.unsupported, "answer \(raw.when_empty) of a front end without endpoints is not known")
    }
  }

  private static func title(_ kind: swl_proxy_frontend_kind_t) throws(BackendFault) -> String {
    switch kind {
    case SWL_PROXY_CLUSTER_IP: "cluster IP"
    case SWL_PROXY_NODE_PORT: "node port"
    case SWL_PROXY_EXTERNAL_IP: "external IP"
    case SWL_PROXY_LOAD_BALANCER: "load balancer IP"
    default: throw BackendFault(.unsupported, "front end kind \(kind) is not known")
    }
  }
}
