import PluginAPI
import PluginKit

/// One service port as the host resolved it.
package struct ServicePort: Equatable, Sendable {
  package enum Masquerade: Int32, Sendable {
    case hairpin = 0
    case fromOutside = 1
    case always = 2
  }

  package enum WhenEmpty: Int32, Sendable {
    case refuse = 1
    case drop = 2
  }

  package struct Entrance: Equatable, Sendable {
    /// nil: every address of the node that answers on node ports.
    package var address: Address?
    package var port: UInt16
    package var masquerade: Masquerade
    package var selectsLocal: Bool
    package var whenEmpty: WhenEmpty
    /// Near clients select as if `selectsLocal` were false.
    package var servesNearFromAll: Bool
    package var isRestricted: Bool
  }

  package var key: String
  package var family: Family
  package var proto: UInt8
  package var entrances: [Entrance] = []
  package var cluster: [RealServer] = []
  package var local: [RealServer] = []
  package var onNode: [RealServer] = []
  package var sourceRanges: [Network] = []
  package var affinity: UInt32 = 0
  /// Of what stands for the health checks of load balancers, and is no Service's.
  package var healthChecks: [UInt16] = []

  package init(key: String, family: Family, proto: UInt8) {
    self.key = key
    self.family = family
    self.proto = proto
  }

  /// All ports of health checks in one family: an entry of the books as any other, so that it is entered, repaired and taken back
  /// as these are. The host's keys have a slash after the namespace.
  package init(healthChecks ports: [UInt16], family: Family) {
    self.init(key: Self.healthKey(family), family: family, proto: Protocol.tcp)
    healthChecks = ports
  }

  private static func healthKey(_ family: Family) -> String { "health checks \(family.rawValue)" }

  package static func isHealthKey(_ key: String) -> Bool { Family.allCases.contains { healthKey($0) == key } }

  package var hasNodePort: Bool { entrances.contains { $0.address == nil } }
}

extension ServicePort {
  /// Reads a service port from the host's memory. `fault` says why it cannot be programmed; what could be read is there all the
  /// same, so that its previous state can be told from something nobody wants.
  package static func read(_ raw: swl_proxy_service_t) -> (port: ServicePort, fault: BackendFault?) {
    let key = raw.key.text
    guard let family = Family(rawValue: raw.family) else {
      return (
        ServicePort(key: key, family: .ipv4, proto: raw.protocol), BackendFault(.invalid, "\(key): \(raw.family) is not an IP family")
      )
    }
    var port = ServicePort(key: key, family: family, proto: raw.protocol)
    port.affinity = raw.affinity_seconds
    var fault: BackendFault?
    for endpoint in raw.endpointViews {
      guard endpoint.address.family == raw.family, endpoint.port != 0 else {
        fault = BackendFault(.invalid, "\(key): an endpoint has no port or is of the other IP family")
        continue
      }
      port.append(RealServer(address: Address(endpoint.address, family), port: endpoint.port), flags: endpoint.flags)
    }
    for range in raw.sourceRangeViews {
      guard range.family == raw.family else {
        fault = BackendFault(.invalid, "\(key): a source range is of the other IP family")
        continue
      }
      port.sourceRanges.append(Network(Address(range, family), prefix: Int(range.prefix)))
    }
    for entrance in raw.frontendViews {
      do throws(BackendFault) {
        port.entrances.append(try Entrance.read(entrance, family))
      } catch {
        fault = BackendFault(error.status, "\(key): \(error.message)")
      }
    }
    if ![Protocol.tcp, Protocol.udp, Protocol.sctp].contains(raw.protocol) {
      fault = BackendFault(.unsupported, "\(key): IP protocol \(raw.protocol) is not TCP, UDP or SCTP")
    } else if raw.affinity_seconds > 2_000_000 {
      fault = BackendFault(.unsupported, "\(key): session affinity of \(raw.affinity_seconds) seconds is more than IPVS can keep")
    }
    return (port, fault)
  }

  private mutating func append(_ server: RealServer, flags: UInt64) {
    if flags & SWL_PROXY_ENDPOINT_CLUSTER != 0 { cluster.append(server) }
    if flags & SWL_PROXY_ENDPOINT_LOCAL != 0 { local.append(server) }
    if flags & SWL_PROXY_ENDPOINT_ON_NODE != 0 { onNode.append(server) }
  }
}

extension ServicePort.Entrance {
  fileprivate static func read(_ raw: swl_proxy_frontend_t, _ family: Family) throws(BackendFault) -> Self {
    guard raw.address.family == family.rawValue, raw.port != 0 else {
      throw BackendFault(.invalid, "a front end has no port or is of the other IP family")
    }
    guard let masquerade = ServicePort.Masquerade(rawValue: raw.masquerade) else {
      throw BackendFault(.unsupported, "masquerade policy \(raw.masquerade) is not known")
    }
    guard raw.selection == SWL_PROXY_SELECT_CLUSTER || raw.selection == SWL_PROXY_SELECT_LOCAL else {
      throw BackendFault(.unsupported, "endpoint selection \(raw.selection) is not known")
    }
    guard let whenEmpty = ServicePort.WhenEmpty(rawValue: raw.when_empty) else {
      throw BackendFault(.unsupported, "answer \(raw.when_empty) of a front end without endpoints is not known")
    }
    let address = Address(raw.address, family)
    if address.isZero, raw.kind != SWL_PROXY_NODE_PORT { throw BackendFault(.invalid, "a front end has no address") }
    return Self(
      address: address.isZero ? nil : address, port: raw.port, masquerade: masquerade,
      selectsLocal: raw.selection == SWL_PROXY_SELECT_LOCAL, whenEmpty: whenEmpty,
      servesNearFromAll: raw.flags & SWL_PROXY_FRONTEND_NEAR != 0, isRestricted: raw.flags & SWL_PROXY_FRONTEND_SOURCE_RANGES != 0)
  }
}
