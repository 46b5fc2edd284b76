import KubeModel

/// What a packet is matched by: no two service ports may hold the same.
struct FrontendKey: Hashable, Sendable, CustomStringConvertible {
  /// `nil`: a node port.
  var address: IPAddress?
  var port: UInt16
  var family: IPFamily
  var ipProtocol: IPProtocol

  init(_ port: ResolvedServicePort, _ frontend: ResolvedServicePort.Frontend) {
    self.init(frontend, port.ipProtocol, port.family)
  }

  init(_ frontend: ResolvedServicePort.Frontend, _ ipProtocol: IPProtocol, _ family: IPFamily) {
    self.family = family
    self.ipProtocol = ipProtocol
    address = frontend.address
    port = frontend.port
  }

  init(nodePort port: UInt16, _ ipProtocol: IPProtocol, _ family: IPFamily) {
    self.family = family
    self.ipProtocol = ipProtocol
    address = nil
    self.port = port
  }

  /// A full load hashes tens of thousands, so in two words and not in a call for each field.
  func hash(into hasher: inout Hasher) {
    let rest = UInt64(port) | UInt64(ipProtocol.rawValue) << 16 | (family == .v4 ? 0 : 1) << 24 | (address == nil ? 1 : 0) << 25
    hasher.combine((address?.high ?? 0) ^ rest &* 0x9E37_79B9_7F4A_7C15)
    hasher.combine(address?.low ?? 0)
  }

  var description: String {
    guard let address else { return "node port \(port)/\(ipProtocol)" }
    return "\(family == .v6 ? "[\(address)]" : "\(address)"):\(port)/\(ipProtocol)"
  }
}
