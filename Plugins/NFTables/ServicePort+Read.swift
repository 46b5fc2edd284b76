import PluginAPI
import PluginKit

extension ServicePort {
  /// Reads a service port from the host's memory. `fault` says why it cannot be programmed; what could be read is there all the
  /// same, so that its previous state can be told from something nobody wants.
  package static func read(_ raw: swl_proxy_service_t) -> (port: ServicePort, fault: BackendFault?) {
    let key = ServiceKey(raw.key.text)
    guard let family = Family(rawValue: raw.family) else {
      return (ServicePort(key: key, family: .ipv4), BackendFault(.invalid, "\(key): \(raw.family) is not an IP family"))
    }
    var reader = FrontendReader(owner: key, family: family, proto: raw.protocol, affinitySeconds: raw.affinity_seconds)
    // The host may name any number.
    reader.expected = min(raw.endpointViews.count, 256)
    var fault: BackendFault?
    for endpoint in raw.endpointViews where !reader.take(endpoint) {
      fault = BackendFault(.invalid, "\(key): an endpoint has no port or is of the other IP family")
    }
    for range in raw.sourceRangeViews where !reader.take(range) {
      fault = BackendFault(.invalid, "\(key): a source range is no network or of the other IP family")
    }
    reader.settle()
    var frontends: [(key: FrontendKey, state: FrontendState)] = []
    for frontend in raw.frontendViews {
      do throws(BackendFault) {
        let (frontendKey, state) = try reader.read(frontend)
        // There are few.
        if !frontends.contains(where: { $0.key == frontendKey }) { frontends.append((frontendKey, state)) }
        try reader.checkLimits(state)
      } catch {
        fault = BackendFault(error.status, "\(key): \(error.message)")
      }
    }
    switch raw.protocol {
    case Protocol.tcp, Protocol.udp, Protocol.sctp: break
    default:
      fault = BackendFault(.unsupported, "\(key): IP protocol \(raw.protocol) is not TCP, UDP or SCTP")
    }
    return (ServicePort(key: key, family: family, frontends: frontends, hairpins: reader.onNode), fault)
  }
}

/// What the front ends of one service port share. Those with one selection share one array of endpoints.
private struct FrontendReader {
  let owner: ServiceKey
  let family: Family
  let proto: UInt8
  let affinitySeconds: UInt32
  /// Endpoints, about.
  var expected = 0
  private(set) var onNode: [Address] = []
  private var cluster: [Endpoint] = []
  private var local: [Endpoint] = []
  private var ranges: [Network] = []

  init(owner: ServiceKey, family: Family, proto: UInt8, affinitySeconds: UInt32) {
    self.owner = owner
    self.family = family
    self.proto = proto
    self.affinitySeconds = affinitySeconds
  }

  /// False when it makes no sense.
  mutating func take(_ raw: swl_proxy_endpoint_t) -> Bool {
    guard raw.address.family == family.rawValue, raw.port != 0 else { return false }
    let endpoint = Endpoint(address: Address(raw.address, family), port: raw.port)
    if raw.flags & SWL_PROXY_ENDPOINT_CLUSTER != 0 { Self.append(endpoint, to: &cluster, expected) }
    if raw.flags & SWL_PROXY_ENDPOINT_LOCAL != 0 { Self.append(endpoint, to: &local, 1) }
    if raw.flags & SWL_PROXY_ENDPOINT_ON_NODE != 0, !onNode.contains(endpoint.address) { onNode.append(endpoint.address) }
    return true
  }

  private static func append(_ endpoint: Endpoint, to list: inout [Endpoint], _ expected: Int) {
    if list.isEmpty { list.reserveCapacity(expected) }
    list.append(endpoint)
  }

  mutating func take(_ raw: swl_address_t) -> Bool {
    guard let network = Network(raw, family) else { return false }
    ranges.append(network)
    return true
  }

  /// Everything is taken.
  mutating func settle() { if ranges.count > 1 { ranges = Network.disjoint(ranges) } }

  func read(_ raw: swl_proxy_frontend_t) throws(BackendFault) -> (FrontendKey, FrontendState) {
    guard raw.address.family == family.rawValue, raw.port != 0 else {
      throw BackendFault(.invalid, "a front end has no port or is of the other IP family")
    }
    guard let masquerade = UInt32(exactly: raw.masquerade).flatMap({ ServiceClass.Masquerade(rawValue: $0) }) else {
      throw BackendFault(.unsupported, "masquerade policy \(raw.masquerade) is not known")
    }
    let (selected, selection) = try select(raw.selection)
    if selected.isEmpty, raw.when_empty != SWL_PROXY_EMPTY_REFUSE, raw.when_empty != SWL_PROXY_EMPTY_DROP {
      throw BackendFault(.unsupported, "answer \(raw.when_empty) of a front end without endpoints is not known")
    }
    let isNear = raw.flags & SWL_PROXY_FRONTEND_NEAR != 0
    // A range of everything asks for nothing.
    let isRestricted = raw.flags & SWL_PROXY_FRONTEND_SOURCE_RANGES != 0 && !ranges.contains { $0.prefix == 0 }
    let serviceClass = ServiceClass(
      endpoints: isNear ? cluster.count : selected.count, local: isNear ? selected.count : nil, masquerade: masquerade,
      restricted: isRestricted, affinity: affinitySeconds > 0, drops: raw.when_empty == SWL_PROXY_EMPTY_DROP)
    var state = FrontendState(endpoints: isNear ? cluster : selected, serviceClass: serviceClass, owner: owner)
    if isNear { state.localEndpoints = selected }
    if isRestricted { state.ranges = ranges }
    if affinitySeconds > 0 {
      state.slots = slots(state.endpoints, isNear ? .near : selection)
      state.localSlots = slots(state.localEndpoints, .far)
    }
    let address = Address(raw.address, family)
    let isNodePort = raw.kind == SWL_PROXY_NODE_PORT && address == Address()
    return (FrontendKey(address: address, port: raw.port, proto: proto, isNodePort: isNodePort), state)
  }

  private func select(_ selection: swl_proxy_selection_t) throws(BackendFault) -> ([Endpoint], AffinitySlot.Selection) {
    switch selection {
    case SWL_PROXY_SELECT_CLUSTER: return (cluster, .cluster)
    case SWL_PROXY_SELECT_LOCAL: return (local, .local)
    default: throw BackendFault(.unsupported, "endpoint selection \(selection) is not known")
    }
  }

  private func slots(_ endpoints: [Endpoint], _ selection: AffinitySlot.Selection) -> [AffinitySlot] {
    endpoints.indices.map { AffinitySlot(seconds: affinitySeconds, selection, number: $0) }
  }

  func checkLimits(_ state: FrontendState) throws(BackendFault) {
    let count = state.endpoints.count
    if count > ServiceClass.maximumEndpoints {
      throw BackendFault(.unsupported, "more than \(ServiceClass.maximumEndpoints) endpoints")
    }
    if state.localEndpoints.count > ServiceClass.maximumLocalEndpoints {
      throw BackendFault(.unsupported, "more than \(ServiceClass.maximumLocalEndpoints) endpoints for clients that are not near")
    }
    if affinitySeconds == 0 { return }
    if count > AffinitySlot.maximumEndpoints {
      throw BackendFault(.unsupported, "more than \(AffinitySlot.maximumEndpoints) endpoints with session affinity")
    }
    if affinitySeconds > AffinitySlot.maximumSeconds {
      throw BackendFault(.unsupported, "session affinity for more than \(AffinitySlot.maximumSeconds) seconds")
    }
  }
}
