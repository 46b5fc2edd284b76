import KubeModel
import ServiceProxy
import Testing

/// What flows are judged by when the kernel did not take a change at once.
struct OwedChangesTests {
  private func port(_ endpoints: String..., address: String = "10.96.0.1", key: String = "default/dns:/UDP/4") -> ResolvedServicePort {
    ResolvedServicePort(
      key: key, family: .v4, ipProtocol: .udp, frontends: [.init(kind: .clusterIP, address: ip(address), port: 53)],
      endpoints: endpoints.map { .init(address: ip($0), port: 53) })
  }

  private func change(_ before: ResolvedServicePort?, _ after: ResolvedServicePort?) -> CommittedChange {
    CommittedChange(key: (after ?? before)?.key ?? "", previous: before, current: after)
  }

  private let failed = ["default/dns:/UDP/4": "full"]

  @Test func whatFailedAloneIsToldWithWhatTheKernelHadWhenItIsTaken() {
    var owed = OwedChanges()
    let (first, second, third) = (port("10.1.0.1"), port("10.1.0.2"), port("10.1.0.3"))
    #expect(owed.take([change(first, second)], failures: failed).changes == [])
    // Tried again, where nobody says what was before.
    #expect(owed.take([change(nil, second)], failures: failed).changes == [])
    // And again, as another one.
    let taken = owed.take([change(second, third)], failures: [:])
    #expect(taken.changes == [change(first, third)] && taken.unknown == [])
    #expect(owed.take([change(third, first)], failures: [:]).changes == [change(third, first)])
  }

  @Test func whatIsRemovedAfterItFailedIsToldWithWhatTheKernelHad() {
    var owed = OwedChanges()
    let (first, second) = (port("10.1.0.1"), port("10.1.0.2"))
    _ = owed.take([change(first, second)], failures: failed)
    #expect(owed.take([change(second, nil)], failures: [:]).changes == [change(first, nil)])
  }

  /// A batch that failed as a whole, and a removal before the load that makes it good: one change, not two that contradict.
  @Test func severalChangesBeforeALoadAreOne() {
    var owed = OwedChanges()
    let (first, second) = (port("10.1.0.1", "10.1.0.2"), port("10.1.0.1"))
    owed.add([change(first, second)])
    owed.add([change(second, nil)])
    #expect(owed.takeFullLoad([], failures: [:]) == [change(first, nil)])
    #expect(owed.takeFullLoad([], failures: [:]) == [])
  }

  @Test func whatALoadCannotProgramIsToldAsUnknownLater() {
    var owed = OwedChanges()
    let other = port("10.1.0.9", address: "10.96.0.9", key: "default/other:/UDP/4")
    let (first, second) = (port("10.1.0.1"), port("10.1.0.2"))
    #expect(owed.takeFullLoad([change(nil, other), change(nil, first)], failures: failed) == [change(nil, other)])
    let taken = owed.take([change(nil, second)], failures: [:])
    #expect(taken.changes == [] && taken.unknown == [change(first, second)])
    // From now on it is known.
    #expect(owed.take([change(second, first)], failures: [:]).changes == [change(second, first)])
  }

  /// As the loop does: what the table learned goes before.
  @Test func whatTheFirstLoadCannotProgramIsUnknownToo() {
    var owed = OwedChanges()
    let (first, second) = (port("10.1.0.1"), port("10.1.0.2"))
    owed.add([change(nil, first)])
    #expect(owed.takeFullLoad([change(nil, first)], failures: failed) == [])
    let taken = owed.take([change(nil, second)], failures: [:])
    #expect(taken.changes == [] && taken.unknown == [change(first, second)])
  }

  @Test func whatALoadTakesIsKnownAfterwardsThoughItWasUnknown() {
    var owed = OwedChanges()
    let (first, second) = (port("10.1.0.1"), port("10.1.0.2"))
    _ = owed.takeFullLoad([change(nil, first)], failures: failed)
    #expect(owed.takeFullLoad([change(nil, first)], failures: [:]).count == 1)
    let taken = owed.take([change(first, second)], failures: [:])
    #expect(taken.changes == [change(first, second)] && taken.unknown == [])
  }
}
