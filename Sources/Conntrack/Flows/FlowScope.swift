import KubeModel

/// Which flows to ask the kernel for; whatever is `nil` is not asked about. The kernel may hand over more: releases before
/// 5.8 know no more than the family, and the ports of SCTP are not compared (seen on 6.18).
package struct FlowScope: Sendable, Hashable {
  package var family: IPFamily
  package var ipProtocol: IPProtocol?
  /// Where the first packet went.
  package var address: IPAddress?
  package var port: UInt16?

  package init(family: IPFamily, ipProtocol: IPProtocol? = nil, address: IPAddress? = nil, port: UInt16? = nil) {
    self.family = family
    self.ipProtocol = ipProtocol
    self.address = address
    self.port = port
  }

  /// The kernel has more to compare than the family.
  package var isNarrow: Bool { ipProtocol != nil || comparedAddress != nil }

  /// The kernel compares the addresses of IPv6 the wrong way round: it leaves out exactly those that were asked for (seen on
  /// 6.18).
  package var comparedAddress: IPAddress? { family == .v4 ? address : nil }

  /// The least that covers all of these front ends: one for each family, so that the table is walked once for each.
  package static func covering(_ frontends: some Sequence<FlowFrontend>) -> [FlowScope] {
    var scopes: [IPFamily: FlowScope] = [:]
    for frontend in frontends {
      var scope = FlowScope(
        family: frontend.family, ipProtocol: frontend.ipProtocol, address: frontend.address, port: frontend.port)
      if let known = scopes[frontend.family] {
        if known.ipProtocol != scope.ipProtocol { scope.ipProtocol = nil }
        if known.address != scope.address { scope.address = nil }
        // A port is a port of some protocol.
        if known.port != scope.port || scope.ipProtocol == nil { scope.port = nil }
      }
      scopes[frontend.family] = scope
    }
    return IPFamily.allCases.compactMap { scopes[$0] }
  }
}
