import IPTables
import PluginKit

/// Both variants, for the topology shared with the suite of all backends.
enum BackendUnderTest: String, CaseIterable, Sendable {
  case nft, legacy

  var variant: Variant { self == .nft ? .nft : .legacy }

  func make(_ configuration: [String: String]) throws(BackendFault) -> any ProxyPlugin {
    try IPTablesBackend(host: HostServices(testing: { _, _ in }), configuration: configuration, variant: variant)
  }
}
