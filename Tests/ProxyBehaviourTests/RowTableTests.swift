import ProxyTesting
import Testing

/// The table itself: rows that say what they seem to say.
struct RowTableTests {
  @Test func rowsAreManyAndDistinct() {
    let names = Row.all.map(\.description)
    #expect(Set(names).count == names.count)
    #expect(Set(Row.all.map { "\($0.name), \($0.proto), \($0.configuration)" }).count >= 500)
  }

  @Test func eachConfigurationHasRows() {
    for configuration in Configuration.allCases { #expect(Row.all.contains { $0.configuration == configuration }) }
  }

  /// The contract wants it of the host, so the table must not break it.
  @Test func noTwoServicePortsOfAConfigurationHoldTheSameFrontEnd() {
    for configuration in Configuration.allCases {
      var holders: [String: String] = [:]
      var keys: Set<String> = []
      for service in Row.all.filter({ $0.configuration == configuration }).flatMap(\.services) {
        #expect(keys.insert(service.key).inserted, "\(service.key) twice")
        for frontend in service.frontends {
          let held = "\(service.family) \(service.proto) \(frontend.address ?? "node") \(frontend.port)"
          #expect(holders.updateValue(service.key, forKey: held) == nil, "\(held) twice")
        }
      }
    }
  }
}
