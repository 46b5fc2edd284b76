import KubeModel
import ServiceProxy

/// Where node ports answer.
extension Settings {
  /// - Parameter addresses: the node's own, the primary one of each family first.
  package func nodePorts(_ addresses: [IPAddress]) -> NodePortAddresses {
    NodePortAddresses(
      proxy.nodePortAddresses, nodeAddresses: primaryFirst(addresses), isPrimaryByDefault: isPrimaryByDefault,
      servesLocalhost: servesLocalhostNodePorts)
  }

  /// As kube-proxy 1.36: nftables mode takes the primary addresses when none are named, the others all.
  private var isPrimaryByDefault: Bool { expectedProxyMode == "nftables" }

  /// Whether node ports follow the node's primary addresses.
  package var usesPrimaryNodePorts: Bool {
    proxy.nodePortAddresses.isEmpty ? isPrimaryByDefault : proxy.nodePortAddresses.contains(.primary)
  }

  /// Only iptables mode can, and does unless told not to, or unless the networks node ports answer in leave loopback out. As
  /// upstream any network within 127.0.0.0/8 or around it counts, and no network of IPv4 leaves nothing out.
  package var servesLocalhostNodePorts: Bool {
    guard expectedProxyMode == "iptables", proxy.iptables.localhostNodePorts ?? true else { return false }
    if proxy.nodePortAddresses.contains(.primary) { return false }
    let networks = proxy.nodePortAddresses.compactMap { entry in
      if case .range(let range) = entry, range.family == .v4 { range } else { nil }
    }
    return networks.isEmpty || networks.contains { $0.address.isLoopback || $0.contains(Settings.loopback) }
  }

  /// Where 127.0.0.0/8 begins.
  private static let loopback = IPAddress(v4: 127 << 24)

  /// `bindAddress` is the node's primary address whatever the machine says, as upstream; the wildcards say nothing.
  func primaryFirst(_ addresses: [IPAddress]) -> [IPAddress] {
    guard let own = proxy.bindAddress, !own.isUnspecified else { return addresses }
    return [own] + addresses.filter { $0 != own }
  }
}
