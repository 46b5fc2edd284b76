import PluginKit
import ProxyTesting
import Testing

/// Real packets against each backend, row by row.
@Suite(.serialized) struct TrafficTests {
  /// Two servers answer: that one of them never does is chance once in 2^31.
  private static let attempts = 32

  @Test(arguments: BackendUnderTest.allCases, TrafficCase.all)
  func trafficGoesWhereTheServiceSays(_ backend: BackendUnderTest, _ row: TrafficCase) throws {
    let topology = try Topology()
    let plugin = try topology.start(backend, row.configuration)
    defer { plugin.stop() }
    #expect(try plugin.sync(.full([row.service])).isEmpty)

    switch row.expectation {
    case .answers(let servers, let source):
      let knocks = try topology.knock(Self.attempts, from: row.from, row.proto, row.address, row.port)
      #expect(Set(knocks.compactMap(\.server)) == servers)
      let failures = knocks.filter { $0.server == nil }
      #expect(failures.isEmpty)
      for knock in knocks { expectSource(knock, source, row) }
    case .refusal:
      #expect(try topology.knock(from: row.from, row.proto, row.address, row.port) == .refused)
    case .silence:
      #expect(try topology.knock(from: row.from, row.proto, row.address, row.port, patience: 300) == .silent)
    case .nobody:
      #expect(try topology.knock(from: row.from, row.proto, row.address, row.port, patience: 300).server == nil)
    }
  }

  private func expectSource(_ knock: Knock, _ source: TrafficCase.Source, _ row: TrafficCase) {
    guard case .answered(let server, let client) = knock else { return }
    let plan = Plan.of(row.family)
    let isItself = (row.from == .podA && server == "A") || (row.from == .podB && server == "B")
    let isMasqueraded =
      switch source {
      case .own: false
      case .node: true
      case .ownUnlessItself: isItself
      }
    if isMasqueraded {
      #expect(plan.nodeAddresses.contains(client))
    } else {
      #expect(client == row.from.address(plan))
    }
  }
}
