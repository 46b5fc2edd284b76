import IPTables
import PluginAPI
import PluginKit
import ProxyTesting
import Testing

/// However a state was reached, it is the same state.
struct PropertyTests {
  @Test(arguments: 0..<25)
  func incrementalChangesEqualAFullLoad(_ seed: Int) throws {
    var generator = SplitMix(state: UInt64(seed))
    var existing: [String: TestService] = [:]
    var ports: [UInt16] = []
    let tool = ModelTool()
    let backend = try Fixtures.backend(tool)
    try backend.start()
    try backend.sync(.full([]))
    for step in 0..<40 {
      var batch = Fixtures.randomBatch(&existing, using: &generator)
      if Bool.random(using: &generator) {
        ports = (32000...32005).filter { _ in Bool.random(using: &generator) }
        batch.healthCheckPorts = ports
      }
      // Failures on the way must not show in the end.
      if step % 7 == 3 { tool.deeds = [[.fail(status: 4, errors: "xtables lock"), .hang, .hangAfterFirstTable][step % 3]] }
      for attempt in 0..<3 {
        do {
          #expect(try backend.sync(batch).isEmpty)
          break
        } catch {
          #expect(error.status == .retry && attempt < 2)
        }
      }
    }
    let fresh = ModelTool()
    let other = try Fixtures.backend(fresh)
    try other.start()
    #expect(try other.sync(.full(existing.values.sorted { $0.key > $1.key }, healthCheckPorts: ports)).isEmpty)
    #expect(tool.contents(.nft) == fresh.contents(.nft))
    // Loaded again over what stands, in another order, nothing is to be done.
    let restores = tool.restores.count
    let next = try Fixtures.backend(tool)
    try next.start()
    #expect(try next.sync(.full(existing.values.sorted { $0.key < $1.key }, healthCheckPorts: ports)).isEmpty)
    #expect(tool.restores.count == restores)
    // And all goes.
    #expect(try next.sync(TestBatch(removals: Array(existing.keys), healthCheckPorts: [])).isEmpty)
    let empty = ModelTool()
    let last = try Fixtures.backend(empty)
    try last.start()
    try last.sync(.full([]))
    #expect(tool.contents(.nft) == empty.contents(.nft))
  }

  /// No packet may see a rule that leads to something that is gone: the model refuses that too.
  @Test(arguments: 0..<6)
  func aFullLoadFromAnyStateLeavesNothingElse(_ seed: Int) throws {
    var generator = SplitMix(state: UInt64(seed) &+ 1000)
    var before: [String: TestService] = [:]
    var after: [String: TestService] = [:]
    for _ in 0..<10 {
      _ = Fixtures.randomBatch(&before, using: &generator)
      _ = Fixtures.randomBatch(&after, using: &generator)
    }
    let tool = ModelTool()
    let first = try Fixtures.backend(tool)
    try first.start()
    try first.sync(.full(Array(before.values)))
    // In two parts, and with other settings.
    let settings = ["pod-interface": "cni0", "masquerade-bit": "3"]
    let second = try Fixtures.backend(tool, .nft, settings)
    try second.start()
    let services = after.values.sorted { $0.key < $1.key }
    try second.sync(TestBatch(Array(services.prefix(2)), flags: SWL_PROXY_BATCH_RESET))
    try second.sync(TestBatch(Array(services.dropFirst(2)), flags: SWL_PROXY_BATCH_COMPLETE))
    let fresh = ModelTool()
    let other = try Fixtures.backend(fresh, .nft, settings)
    try other.start()
    try other.sync(.full(services))
    #expect(tool.contents(.nft) == fresh.contents(.nft))
  }
}
