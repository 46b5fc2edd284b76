import PluginKit

/// The configuration keys of a proxy backend (swiftlet/ext/proxy.h), read and checked.
package struct Settings: Sendable, Equatable {
  /// How pods of this node are told from others.
  package enum LocalDetection: Sendable, Equatable {
    case none
    case networks([Network])
    /// The bridge pods are behind.
    case interface(String)
    case interfacePrefix(String)
  }

  package var masqueradeBit: UInt32 = 14
  package var detection = LocalDetection.none
  package var nodePortNetworks: [Network] = []
  package var serviceNetworks: [Network] = []
  package var dropsInvalid = true
  package var scheduler = "rr"
  package var strictARP = false
  /// Virtual servers at these addresses are never removed.
  package var excluded: [Network] = []
  /// Seconds; 0 leaves the kernel's.
  package var tcpTimeout: UInt32 = 0
  package var tcpFinTimeout: UInt32 = 0
  package var udpTimeout: UInt32 = 0

  /// As one family has it: networks of the other say nothing of its pods.
  package func detection(of family: Family) -> LocalDetection {
    guard case .networks(let networks) = detection else { return detection }
    let ours = networks.filter { $0.family == family }
    return ours.isEmpty ? .none : .networks(ours)
  }

  package var podNetworks: [Network] {
    if case .networks(let networks) = detection { networks } else { [] }
  }

  package var mark: Mark { Mark(masqueradeBit: masqueradeBit) }

  /// Those of Linux: net/netfilter/ipvs. Maglev (mh) came with 4.18.
  package static let schedulers = ["rr", "wrr", "lc", "wlc", "lblc", "lblcr", "sh", "dh", "sed", "nq", "mh", "ovf", "fo"]

  package init() {}

  package init(_ configuration: [String: String]) throws(BackendFault) {
    var detections: [String] = []
    for (key, value) in configuration.sorted(by: { $0.key < $1.key }) {
      switch key {
      case "masquerade-bit":
        guard let bit = UInt32(value), bit < 32 else {
          throw BackendFault(.invalid, "masquerade-bit: \"\(value)\" is not a number from 0 to 31")
        }
        masqueradeBit = bit
      case "cluster-cidrs", "pod-interface", "pod-interface-prefix":
        guard let found = try Self.detection(key, value) else { continue }
        detection = found
        detections.append(key)
      case "nodeport-cidrs": nodePortNetworks = try Self.networks(key, value)
      case "service-cidrs": serviceNetworks = try Self.networks(key, value)
      case "exclude-cidrs": excluded = try Self.networks(key, value)
      case "drop-invalid": dropsInvalid = value.isEmpty ? true : try Self.flag(key, value)
      case "strict-arp": strictARP = try Self.flag(key, value)
      case "localhost-nodeports":
        if try Self.flag(key, value) {
          // Upstream's ipvs mode neither: a virtual server at 127.0.0.1 would need a source that other machines can answer.
          throw BackendFault(.unsupported, "localhost-nodeports: IPVS has no node ports on loopback; choose nftables or iptables")
        }
      case "scheduler":
        guard value.isEmpty || Self.schedulers.contains(value) else {
          throw BackendFault(.invalid, "scheduler: \"\(value)\" is none of \(Self.schedulers.joined(separator: ", "))")
        }
        if !value.isEmpty { scheduler = value }
      case "tcp-timeout": tcpTimeout = try Self.seconds(key, value)
      case "tcpfin-timeout": tcpFinTimeout = try Self.seconds(key, value)
      case "udp-timeout": udpTimeout = try Self.seconds(key, value)
      default: throw BackendFault(.invalid, "\(key): the ipvs backend has no such setting")
      }
    }
    if detections.count > 1 { throw BackendFault(.invalid, "\(detections.joined(separator: ", ")): only one of these can be set") }
  }

  /// Whether node ports answer on that address of the node. IPv6 link-local addresses never do: IPVS has no scope.
  package func answersNodePorts(_ address: Address) -> Bool {
    if address.isLoopback || address.isLinkLocal { return false }
    return nodePortNetworks.isEmpty || nodePortNetworks.contains { $0.contains(address) }
  }

  package func isExcluded(_ address: Address) -> Bool { excluded.contains { $0.contains(address) } }

  private static func detection(_ key: String, _ value: String) throws(BackendFault) -> LocalDetection? {
    if key == "cluster-cidrs" {
      let networks = try networks(key, value)
      return networks.isEmpty ? nil : .networks(networks)
    }
    if value.isEmpty { return nil }
    // IFNAMSIZ with its NUL; and these go into rules, so nothing may be more than a name.
    let isName = value.utf8.count < 16 && value.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && !"/\"'\\!+".utf8.contains($0) }
    guard isName else { throw BackendFault(.invalid, "\(key): \"\(value)\" is not the name of an interface") }
    return key == "pod-interface" ? .interface(value) : .interfacePrefix(value)
  }

  private static func networks(_ key: String, _ list: String) throws(BackendFault) -> [Network] {
    var networks: [Network] = []
    for part in list.split(separator: ",") {
      let text = part.drop { $0 == " " }.prefix { $0 != " " }
      guard let network = Network(text) else { throw BackendFault(.invalid, "\(key): \"\(text)\" is not a network such as 10.0.0.0/8") }
      if !networks.contains(network) { networks.append(network) }
    }
    return networks
  }

  private static func flag(_ key: String, _ value: String) throws(BackendFault) -> Bool {
    switch value {
    case "true": return true
    case "false", "": return false
    default: throw BackendFault(.invalid, "\(key): \"\(value)\" is neither true nor false")
    }
  }

  private static func seconds(_ key: String, _ value: String) throws(BackendFault) -> UInt32 {
    // The kernel multiplies by its clock rate and refuses what no longer fits an int then.
    guard let seconds = UInt32(value), seconds <= 2_000_000 else {
      throw BackendFault(.invalid, "\(key): \"\(value)\" is not a number of seconds up to 2000000")
    }
    return seconds
  }
}
