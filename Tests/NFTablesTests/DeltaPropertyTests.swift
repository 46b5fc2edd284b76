import NFTables
import ProxyTesting
import Testing

/// However a state was reached, it is the same state.
struct DeltaPropertyTests {
  /// Table state and model kernel of one family.
  private final class Side {
    let state: TableState
    let kernel = ModelKernel()

    init(_ family: Family) throws {
      state = TableState(Layout(family: family, settings: try Fixtures.settings()))
      kernel.apply(state.adopt(KernelTable()))
    }

    func apply(_ changes: [Change]) {
      var delta = state.delta(for: changes)
      kernel.apply(delta.preparation(state.layout))
      state.commit(newClasses: delta.newClasses)
      kernel.apply(delta.messages(state.layout))
      state.commit(changes, &delta)
      let retiring = state.takeRetiring(sparing: 3)
      kernel.apply(state.layout.removal(of: retiring))
      state.forget(retiring)
      kernel.apply(state.hairpinRemoval())
      state.forget(hairpins: state.idleHairpins)
    }
  }

  @Test(arguments: 0..<40)
  func incrementalChangesEqualAFullLoad(_ seed: Int) throws {
    var generator = SplitMix(state: UInt64(seed))
    var existing: [String: TestService] = [:]
    let sides = try Family.allCases.map { try Side($0) }
    for _ in 0..<60 {
      let batch = Fixtures.randomBatch(&existing, using: &generator)
      for side in sides {
        let removals = batch.removals.map { Change.removal(key: ServiceKey($0), side.state.family) }
        side.apply(removals + Fixtures.ports(batch.upserts))
      }
    }
    let services = existing.values.sorted { $0.key < $1.key }
    for (side, family) in zip(sides, Family.allCases) {
      let fresh = try Side(family)
      fresh.apply(Fixtures.ports(services))
      #expect(side.kernel.contents(family) == fresh.kernel.contents(family))
      #expect(side.state.frontends.mapValues(\.sorted) == fresh.state.frontends.mapValues(\.sorted))
      #expect(side.state.hairpinUses == fresh.state.hairpinUses)
      #expect(side.state.classUses == fresh.state.classUses)
    }
  }

  /// Loaded again over what stands, in another order, nothing is to be done.
  @Test func nothingChangesWhenNothingChanged() throws {
    var generator = SplitMix(state: 7)
    var existing: [String: TestService] = [:]
    for _ in 0..<20 { _ = Fixtures.randomBatch(&existing, using: &generator) }
    let changes = Fixtures.ports(existing.values.sorted { $0.key < $1.key })
    for family in Family.allCases {
      let side = try Side(family)
      side.apply(changes)
      #expect(side.state.delta(for: changes.reversed()).isEmpty)
    }
  }

  @Test func oneEndpointOfManyIsOneElement() throws {
    let side = try Side(.ipv4)
    let many = (2..<200).map { TestEndpoint("10.0.0.\($0)", 8080) }
    let frontends = [TestFrontend.clusterIP("10.96.0.1", 80)]
    side.apply(Fixtures.ports([TestService("a", frontends, many)]))
    let fewer = Fixtures.ports([TestService("a", frontends, Array(many.dropFirst()))])
    // The last moves into the gap, the class changes.
    #expect(side.state.delta(for: fewer).weight <= 5)
    let other = Fixtures.ports([TestService("a", frontends, [TestEndpoint("10.0.9.9", 8080)] + many.dropFirst().reversed())])
    #expect(side.state.delta(for: other).weight == 2)
  }

  @Test func aFrontEndThatMovesIsReplacedAndNotRemoved() throws {
    let side = try Side(.ipv4)
    let frontends = [TestFrontend.clusterIP("10.96.0.1", 80)]
    side.apply(Fixtures.ports([TestService("a", frontends, [TestEndpoint("10.0.0.2", 1)])]))
    let moved = Fixtures.ports([TestService("b", frontends, [TestEndpoint("10.0.0.3", 1)])])
    for changes in [moved + [.removal(key: "a", .ipv4)], [.removal(key: "a", .ipv4)] + moved] {
      let delta = side.state.delta(for: changes)
      #expect(delta.removed.isEmpty)
      #expect(delta.replaced[.endpoints]?.count == 1)
      #expect(delta.added[.serviceIPs] == nil)
    }
    side.apply([.removal(key: "a", .ipv4)] + moved)
    #expect(side.state.frontends.values.map(\.owner) == ["b"])
    #expect(side.state.services.keys.sorted() == ["b"])
  }
}
