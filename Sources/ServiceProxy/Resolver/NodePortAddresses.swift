import KubeModel

/// Where node ports answer (`--nodeport-addresses`).
///
/// As kube-proxy 1.36: a family no network is given of is not restricted at all, also when the setting names networks of the
/// other; `primary` means the node's primary addresses, and in nftables mode is what no setting means.
public struct NodePortAddresses: Sendable, Hashable {
  /// For "nodeport-cidrs" of a proxy backend. Empty: every local address but loopback, of both families. Otherwise each family
  /// has a network here, 0.0.0.0/0 or ::/0 for one that is not restricted.
  public var networks: [CIDR]
  /// What the setting asks for and cannot be had.
  public var warnings: [String]

  /// - Parameters:
  ///   - nodeAddresses: the primary address of each family comes first.
  ///   - isPrimaryByDefault: what kube-proxy does in nftables mode, and only there.
  ///   - servesLocalhost: whether node ports answer on 127.0.0.1 too (`iptables.localhostNodePorts`).
  public init(_ setting: [NodePortAddress], nodeAddresses: [IPAddress], isPrimaryByDefault: Bool = false, servesLocalhost: Bool = false) {
    let setting = setting.isEmpty && isPrimaryByDefault ? [.primary] : setting
    var networks: [CIDR] = []
    var warnings: [String] = []
    for family in IPFamily.allCases {
      var own: [CIDR] = []
      for entry in setting {
        switch entry {
        case .range(let range): if range.family == family { own.append(range) }
        case .primary:
          guard let address = nodeAddresses.first(where: { $0.family == family }), !address.isLoopback else { continue }
          if let network = CIDR(address, prefixLength: family.bitWidth) { own.append(network) }
        }
      }
      if own.isEmpty || own.contains(where: { $0.prefixLength == 0 }) { own = [NodePortAddresses.everything(family)].compactMap { $0 } }
      for range in own where NodePortAddresses.isLoopback(range) && (family == .v6 || !servesLocalhost) {
        let when = family == .v4 ? "unless localhostNodePorts is on" : "of IPv6"
        warnings.append("nodePortAddresses: \(range): node ports do not answer on loopback addresses \(when)")
      }
      networks += NodePortAddresses.unique(own)
    }
    self.networks = networks.allSatisfy { $0.prefixLength == 0 } ? [] : networks
    self.warnings = warnings
  }

  /// Whether node ports of a family answer at every address.
  public func isUnrestricted(_ family: IPFamily) -> Bool {
    networks.isEmpty || networks.contains { $0.family == family && $0.prefixLength == 0 }
  }

  /// Which of the node's addresses answer; for the listeners of health checks, which kube-proxy puts where node ports are.
  public func matching(_ addresses: [IPAddress]) -> [IPAddress] {
    var seen: Set<IPAddress> = []
    return addresses.filter { address in
      (networks.isEmpty || networks.contains { $0.contains(address) }) && seen.insert(address).inserted
    }
  }

  private static func everything(_ family: IPFamily) -> CIDR? {
    CIDR(family == .v4 ? IPAddress(v4: 0) : IPAddress(v6High: 0, low: 0), prefixLength: 0)
  }

  private static func isLoopback(_ range: CIDR) -> Bool {
    range.address.isLoopback && range.prefixLength >= (range.family == .v4 ? 8 : 128)
  }

  private static func unique(_ networks: [CIDR]) -> [CIDR] {
    var seen: Set<CIDR> = []
    return networks.filter { seen.insert($0).inserted }
  }
}
