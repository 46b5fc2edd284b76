import PluginKit
import ProxyTesting
import Testing

/// What a backend says it cannot do. A row is never left out in silence: a configuration is refused by the backend itself, in
/// its own words; a row stands here with its reason and has to fail; and all of it has to equal Snapshots/unsupported.txt.
enum Unsupported {
  /// The backend's own refusal of the configuration; nil: it can work.
  static func reason(_ backend: BackendUnderTest, _ configuration: Configuration) throws -> String? {
    do throws(BackendFault) {
      _ = try backend.make(configuration.values)
      return nil
    } catch {
      if error.status == .unsupported { return error.message }
      throw error
    }
  }

  static func reason(_ backend: BackendUnderTest, _ row: Row) -> String? {
    rows.first { $0.backend == backend && $0.covers(row) }?.reason
  }

  static func reason(_ backend: BackendUnderTest, _ scenario: Scenario) -> String? {
    scenarios.first { $0.backend == backend && $0.scenario == scenario }?.reason
  }

  /// What is no row but can be beyond a backend.
  enum Scenario: String {
    case affinityExpires = "a client that was away for the time of its affinity chooses anew"
    case affinityAcrossFrontends = "a client stays at its endpoint at all front ends of a service"
    case oneClientPort = "a client uses one port of its own at two front ends with the same endpoint"
    case healthChecksPassAFirewall = "health checks of load balancers come in although the policy of INPUT is to drop"
  }

  private struct Rows: Sendable {
    var backend: BackendUnderTest
    var covers: @Sendable (Row) -> Bool
    var reason: String
  }

  private static let rows: [Rows] = []
  private static let scenarios: [(backend: BackendUnderTest, scenario: Scenario, reason: String)] = [
    (
      .ipvs, .affinityExpires,
      "the kernel keeps a persistence template as long as it has a connection made by it, which for TCP is two minutes after its end"
    ),
    (
      .nftables, .affinityAcrossFrontends,
      "what is remembered is a client's place at one front end: a client that comes by another one is a new client there"
    ),
    (
      .ipvs, .affinityAcrossFrontends,
      "the kernel keeps a client's endpoint for each virtual server, which is for each front end"
    ),
    (
      .ipvs, .oneClientPort,
      "the kernel knows what an endpoint sends by client and endpoint alone, so the older connection's replies go to the newer"
    ),
    (.nftables, .healthChecksPassAFirewall, "what one table accepts another may still drop, and so it is with kube-proxy"),
  ]

  /// One line for each thing.
  static func table(_ backend: BackendUnderTest) throws -> [String] {
    var lines: [String] = []
    for configuration in Configuration.allCases {
      if let reason = try reason(backend, configuration) {
        lines.append("\(backend.rawValue) | with \(configuration.rawValue): everything | \(reason)")
      }
    }
    for row in Row.all {
      if let reason = reason(backend, row) { lines.append("\(backend.rawValue) | \(row) | \(reason)") }
    }
    for entry in scenarios where entry.backend == backend {
      lines.append("\(backend.rawValue) | \(entry.scenario.rawValue) | \(entry.reason)")
    }
    return lines
  }

  static func isAsWrittenDown(_ backend: BackendUnderTest) throws {
    try Snapshot.expect("unsupported", try table(backend), onlyLinesOf: "\(backend.rawValue) | ")
  }
}
