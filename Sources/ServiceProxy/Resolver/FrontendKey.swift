import KubeModel

/// What a packet is matched by: no two service ports may hold the same.
struct FrontendKey: Hashable, Sendable, CustomStringConvertible {
  var family: IPFamily
  var ipProtocol: IPProtocol
  /// `nil`: a node port.
  var address: IPAddress?
  var port: UInt16

  static func keys(of port: ResolvedServicePort) -> [FrontendKey] {
    port.frontends.map {
      FrontendKey(family: port.family, ipProtocol: port.ipProtocol, address: $0.address, port: $0.port)
    }
  }

  var description: String {
    guard let address else { return "node port \(port)/\(ipProtocol)" }
    return "\(family == .v6 ? "[\(address)]" : "\(address)"):\(port)/\(ipProtocol)"
  }
}
