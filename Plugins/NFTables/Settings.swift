import PluginKit

/// The configuration keys of a proxy backend (swiftlet/ext/proxy.h), read and checked.
package struct Settings: Sendable, Equatable {
  package var masqueradeBit: UInt32 = 14
  package var detection = LocalDetection.none
  package var nodePortNetworks: [Network] = []
  package var serviceNetworks: [Network] = []
  package var dropInvalid = true

  package var masqueradeMark: UInt32 { 1 << masqueradeBit }

  package init() {}

  package init(_ configuration: [String: String]) throws(BackendFault) {
    for (key, value) in configuration.sorted(by: { $0.key < $1.key }) {
      switch key {
      case "masquerade-bit":
        guard let bit = UInt32(value), bit < 32 else {
          throw BackendFault(.invalid, "masquerade-bit: \"\(value)\" is not a number from 0 to 31")
        }
        masqueradeBit = bit
      case "cluster-cidrs":
        let networks = try Self.networks(key, value)
        if !networks.isEmpty { try detect(.networks(networks), key) }
      case "pod-interface": try detect(.interface(try Self.interface(key, value)), key)
      case "pod-interface-prefix": try detect(.interfacePrefix(try Self.interface(key, value)), key)
      case "nodeport-cidrs": nodePortNetworks = try Self.networks(key, value)
      case "service-cidrs": serviceNetworks = try Self.networks(key, value)
      case "drop-invalid": dropInvalid = try Self.flag(key, value)
      case "localhost-nodeports":
        if try Self.flag(key, value) {
          throw BackendFault(.unsupported, "localhost-nodeports: the nftables backend, as kube-proxy's, has no node ports on loopback")
        }
      default: throw BackendFault(.invalid, "\(key): the nftables backend has no such setting")
      }
    }
  }

  private mutating func detect(_ way: LocalDetection, _ key: String) throws(BackendFault) {
    guard detection == .none else {
      throw BackendFault(.invalid, "\(key): only one of cluster-cidrs, pod-interface and pod-interface-prefix can be given")
    }
    detection = way
  }

  /// IFNAMSIZ is 16 with the NUL at the end.
  private static func interface(_ key: String, _ name: String) throws(BackendFault) -> String {
    let isName = (1...15).contains(name.utf8.count) && name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && ![0x2f, 0x22, 0x2a].contains($0) }
    guard isName else { throw BackendFault(.invalid, "\(key): \"\(name)\" is not the name of an interface") }
    return name
  }

  private static func flag(_ key: String, _ value: String) throws(BackendFault) -> Bool {
    switch value {
    case "true": return true
    case "false": return false
    default: throw BackendFault(.invalid, "\(key): \"\(value)\" is neither true nor false")
    }
  }

  private static func networks(_ key: String, _ list: String) throws(BackendFault) -> [Network] {
    var networks: [Network] = []
    for part in list.split(separator: ",") {
      let text = String(part.drop { $0 == " " }.prefix { $0 != " " })
      guard let network = Network(text) else { throw BackendFault(.invalid, "\(key): \"\(text)\" is not a network such as 10.0.0.0/8") }
      if !networks.contains(network) { networks.append(network) }
    }
    return networks
  }
}
