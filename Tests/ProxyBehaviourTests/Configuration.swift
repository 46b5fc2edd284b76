/// How a backend is configured while rows are tried.
enum Configuration: String, CaseIterable, Sendable {
  case clusterNetworks = "cluster networks"
  case podInterface = "pod interface"
  case podInterfacePrefix = "pod interface prefix"
  case undetected = "no detection"
  case lowestBit = "masquerade bit 0"
  case highestBit = "masquerade bit 31"
  case nodePortNetworks = "node port networks"
  case oneFamilyOfNodePorts = "node ports of one family"
  case localhostNodePorts = "localhost node ports"
  case serviceNetworks = "service networks"
  case liberal = "invalid packets pass"

  var values: [String: String] {
    let clusterNetworks = ["cluster-cidrs": "10.0.0.0/16,fd00:10::/32"]
    switch self {
    case .clusterNetworks: return clusterNetworks
    case .podInterface: return ["pod-interface": "veth-a"]
    case .podInterfacePrefix: return ["pod-interface-prefix": "veth-"]
    case .undetected: return [:]
    case .lowestBit: return clusterNetworks.merging(["masquerade-bit": "0"]) { $1 }
    case .highestBit: return clusterNetworks.merging(["masquerade-bit": "31"]) { $1 }
    case .nodePortNetworks:
      return clusterNetworks.merging(["nodeport-cidrs": "203.0.113.0/24,192.0.2.0/24,10.0.1.0/30,fd00:c::/64,fd00:10:1::/126"]) { $1 }
    case .oneFamilyOfNodePorts: return clusterNetworks.merging(["nodeport-cidrs": "192.0.2.0/24"]) { $1 }
    case .localhostNodePorts: return clusterNetworks.merging(["localhost-nodeports": "true"]) { $1 }
    case .serviceNetworks: return clusterNetworks.merging(["service-cidrs": "10.96.0.0/16,fd00:96::/112"]) { $1 }
    case .liberal: return clusterNetworks.merging(["drop-invalid": "false"]) { $1 }
    }
  }

  /// Does the contract count that client among the pods of this node?
  func isPod(_ client: Vantage) -> Bool {
    switch self {
    case .podInterface: client == .podA
    case .podInterfacePrefix: client == .podA || client == .podB
    case .undetected: false
    default: client == .podA || client == .podB || client == .remote
    }
  }

  var tellsPodsApart: Bool { self != .undetected }
}
