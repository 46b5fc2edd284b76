import NFTables
import PluginKit
import ProxyTesting
import Testing

/// The backends the suite holds to one meaning. A new backend is one more case here.
enum BackendUnderTest: String, CaseIterable, Sendable {
  case nftables

  func make(_ configuration: [String: String]) throws(BackendFault) -> any ProxyPlugin {
    switch self {
    case .nftables: try NFTablesBackend(host: HostServices(testing: { _, _ in }), configuration: configuration)
    }
  }

  /// What an operator types to see the rules.
  var listCommands: [[String]] {
    switch self {
    case .nftables: [["nft", "list", "ruleset"], ["nft", "-j", "list", "ruleset"]]
    }
  }
}
