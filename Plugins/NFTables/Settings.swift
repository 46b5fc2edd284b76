import PluginKit

/// The configuration keys of a proxy backend (swiftlet/ext/proxy.h), read and checked.
package struct Settings: Sendable, Equatable {
  package var masqueradeBit: UInt32 = 14
  package var clusterNetworks: [Network] = []
  package var nodePortNetworks: [Network] = []

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
      case "cluster-cidrs": clusterNetworks = try Self.networks(key, value)
      case "nodeport-cidrs": nodePortNetworks = try Self.networks(key, value)
      default: throw BackendFault(.invalid, "\(key): the nftables backend has no such setting")
      }
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
