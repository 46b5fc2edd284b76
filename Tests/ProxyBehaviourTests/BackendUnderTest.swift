import Glibc
import IPTables
import IPVS
import NFTables
import PluginKit
import ProxyTesting
import Testing

/// The backends the suite holds to one meaning. A new backend is one more case here.
enum BackendUnderTest: String, CaseIterable, Sendable, CustomTestStringConvertible {
  case nftables
  case iptablesNFT = "iptables-nft"
  case iptablesLegacy = "iptables-legacy"
  case ipvs

  /// Those any machine has the kernel for. IPVS and its dummy device are modules few kernels have built in.
  static let native = chosen([.nftables, .iptablesNFT, .iptablesLegacy])
  static let inVirtualMachine = chosen(allCases)
  /// Where else nothing would try them.
  static let onlyInVirtualMachine = chosen([.ipvs])

  /// An author of one backend names it in SWIFTLET_TEST_PROXY_MODE and waits for no other.
  private static func chosen(_ backends: [BackendUnderTest]) -> [BackendUnderTest] {
    guard let name = getenv("SWIFTLET_TEST_PROXY_MODE").map({ String(cString: $0) }) else { return backends }
    return backends.filter { $0.rawValue == name }
  }

  var testDescription: String { rawValue }

  func make(_ configuration: [String: String]) throws(BackendFault) -> any ProxyPlugin {
    let host = HostServices(testing: { _, _ in })
    switch self {
    case .nftables: return try NFTablesBackend(host: host, configuration: configuration)
    case .iptablesNFT: return try IPTablesBackend(host: host, configuration: configuration, variant: .nft)
    case .iptablesLegacy: return try IPTablesBackend(host: host, configuration: configuration, variant: .legacy)
    case .ipvs: return try IPVSBackend(host: host, configuration: configuration)
    }
  }

  /// What an operator types to see the rules.
  var listCommands: [[String]] {
    switch self {
    case .nftables: [["nft", "list", "ruleset"], ["nft", "-j", "list", "ruleset"]]
    case .iptablesNFT: [["iptables-nft-save"], ["ip6tables-nft-save"]]
    case .iptablesLegacy: [["iptables-legacy-save"], ["ip6tables-legacy-save"]]
    case .ipvs: [["ipvsadm", "-Sn"], ["ipset", "save"]]
    }
  }
}

/// A backend and the family of addresses it is tried with.
struct Subject: Sendable, CustomTestStringConvertible {
  var backend: BackendUnderTest
  var plan: Plan
  var testDescription: String { "\(backend.rawValue), IPv\(plan.family)" }

  static func all(_ backends: [BackendUnderTest]) -> [Subject] {
    backends.flatMap { backend in Plan.both.map { Subject(backend: backend, plan: $0) } }
  }
}

/// A backend and how it is configured while rows are tried.
struct RowTable: Sendable, CustomTestStringConvertible {
  var backend: BackendUnderTest
  var configuration: Configuration
  var testDescription: String { "\(backend.rawValue), \(configuration.rawValue)" }

  /// Every row where a backend is at home. In the virtual machine, which is slow, those at home elsewhere show with two
  /// configurations that the other kernel does as well.
  static func all(_ backends: [BackendUnderTest]) -> [RowTable] {
    backends.flatMap { backend in
      let configurations = isVirtualMachineRing && backend != .ipvs ? [.clusterNetworks, .serviceNetworks] : Configuration.allCases
      return configurations.map { RowTable(backend: backend, configuration: $0) }
    }
  }
}
