import PluginKit

/// The configuration keys of a proxy backend (swiftlet/ext/proxy.h), read and checked.
package struct Settings: Sendable, Equatable {
  /// How pods of this node are told from other sources.
  package enum PodDetection: Sendable, Equatable {
    case none
    case networks([Network])
    /// As iptables takes it after `-i`, a final `+` stands for any end.
    case interface(String)
  }

  package var masqueradeBit: UInt32 = 14
  package var pods = PodDetection.none
  package var nodePortNetworks: [Network] = []
  package var serviceNetworks: [Network] = []
  package var hasLocalhostNodePorts = false
  package var dropsInvalid = true

  /// "0x4000"
  package var masqueradeMark: String { "0x" + String(UInt32(1) << masqueradeBit, radix: 16) }

  package init() {}

  package init(_ configuration: [String: String]) throws(BackendFault) {
    for (key, value) in configuration.sorted(by: { $0.key < $1.key }) {
      switch key {
      case "masquerade-bit":
        guard let bit = UInt32(value), bit < 32 else {
          throw BackendFault(.invalid, "masquerade-bit: \"\(value)\" is not a number from 0 to 31")
        }
        masqueradeBit = bit
      case "cluster-cidrs": try detect(key, .networks(try Self.networks(key, value)))
      case "pod-interface": try detect(key, .interface(try Self.interface(key, value)))
      case "pod-interface-prefix": try detect(key, .interface(try Self.interface(key, value) + "+"))
      case "nodeport-cidrs": nodePortNetworks = try Self.networks(key, value)
      case "service-cidrs": serviceNetworks = try Self.networks(key, value)
      case "localhost-nodeports": hasLocalhostNodePorts = try Self.flag(key, value)
      case "drop-invalid": dropsInvalid = try Self.flag(key, value)
      default: throw BackendFault(.invalid, "\(key): the iptables backend has no such setting")
      }
    }
  }

  /// What matches packets of this node's pods, one match each; empty: they are not told from others.
  package func podMatches(_ family: Family) -> [String] {
    switch pods {
    case .none: []
    case .networks(let networks): networks.filter { $0.family == family }.map { $0.prefix == 0 ? "" : "-s \($0.text) " }
    case .interface(let name): ["-i \(name) "]
    }
  }

  private mutating func detect(_ key: String, _ detection: PodDetection) throws(BackendFault) {
    guard pods == .none else {
      throw BackendFault(.invalid, "\(key): only one of cluster-cidrs, pod-interface and pod-interface-prefix can be set")
    }
    // An empty list tells nobody apart.
    if detection != .networks([]) { pods = detection }
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

  /// Names go into the input of iptables-restore, so only characters that mean nothing there.
  private static func interface(_ key: String, _ name: String) throws(BackendFault) -> String {
    let isPlain = name.utf8.allSatisfy { byte in
      switch byte {
      case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "@"): true
      default: false
      }
    }
    guard isPlain, !name.isEmpty, name.utf8.count <= 14 || (key == "pod-interface" && name.utf8.count == 15) else {
      throw BackendFault(.invalid, "\(key): \"\(name)\" is not the name of a network interface")
    }
    return name
  }

  private static func flag(_ key: String, _ value: String) throws(BackendFault) -> Bool {
    switch value {
    case "true": true
    case "false": false
    default: throw BackendFault(.invalid, "\(key): \"\(value)\" is neither true nor false")
    }
  }
}
