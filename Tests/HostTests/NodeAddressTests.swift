import KubeModel
import Testing
import swiftlet

/// The node's own addresses, and what it means that they change.
struct NodeAddressTests {
  private static let addresses = ["192.0.2.1", "192.0.2.9", "2001:db8::1"].map(ip)
  private let nftables = Settings().running("nftables")
  private let iptables = Settings().running("iptables")

  /// - Parameter routed: those that connections to elsewhere come from; `nil`: all.
  private func change(
    _ settings: Settings, loadedWith: [IPAddress], known: [IPAddress], now: [IPAddress], routed: [IPAddress]? = nil
  ) -> AddressChange {
    AddressChange(settings, loadedWith: loadedWith, known: known, now: now, routed: routed ?? now)
  }

  @Test func thePrimaryAddressIsTheDefaultRoutesAndNotThatOfTheFirstInterface() {
    let found = ["2001:db8::9", "172.17.0.1", "192.0.2.1", "2001:db8::1"].map(ip)
    let ordered = PrimaryAddress.ordered(found, sources: [ip("192.0.2.1"), ip("2001:db8::1")])
    #expect(ordered.map(\.description) == ["192.0.2.1", "172.17.0.1", "2001:db8::1", "2001:db8::9"])
  }

  @Test func withoutADefaultRouteTheFirstInterfaceCounts() {
    let found = ["172.17.0.1", "192.0.2.1"].map(ip)
    #expect(PrimaryAddress.ordered(found, sources: []) == found)
    // Not one of those that can be reached: link-local, say.
    #expect(PrimaryAddress.ordered(found, sources: [ip("169.254.1.1")]) == found)
  }

  @Test func anotherPrimaryAddressStartsADaemonAnewWhoseNodePortsAnswerThere() {
    let now = ["192.0.2.77", "2001:db8::1"].map(ip)
    #expect(change(nftables, loadedWith: Self.addresses, known: Self.addresses, now: now) == .restart)
    // One of a family that had none.
    #expect(change(nftables, loadedWith: [ip("192.0.2.1")], known: [ip("192.0.2.1")], now: Self.addresses) == .restart)
  }

  /// A node without IPv6 of its own: the first pod's interface brings one.
  @Test func anAddressThatLeadsNowhereIsNoOtherPrimaryOne() {
    let own = [ip("192.0.2.1")]
    #expect(change(nftables, loadedWith: own, known: own, now: own + [ip("fd00::1")], routed: own) == .resolve)
    #expect(change(nftables, loadedWith: own, known: own, now: [ip("10.1.0.1")], routed: []) == .resolve)
  }

  @Test func whereNodePortsAnswerEverywhereServicesAreResolvedAnew() {
    #expect(change(iptables, loadedWith: Self.addresses, known: Self.addresses, now: [ip("192.0.2.77")]) == .resolve)
    var given = nftables
    given.proxy.nodePortAddresses = CIDR("192.0.2.0/24").map { [.range($0)] } ?? []
    #expect(change(given, loadedWith: Self.addresses, known: Self.addresses, now: [ip("192.0.2.77")]) == .resolve)
  }

  @Test func moreAddressesBesideThePrimaryOnesRestartNothing() {
    let now = Self.addresses + [ip("10.1.0.1")]
    #expect(change(nftables, loadedWith: Self.addresses, known: Self.addresses, now: now) == .resolve)
    #expect(change(nftables, loadedWith: Self.addresses, known: now, now: now) == .none)
  }

  /// A link that goes down takes its address away and brings it back.
  @Test func aPrimaryAddressThatWentIsWaitedFor() {
    #expect(change(nftables, loadedWith: Self.addresses, known: Self.addresses, now: [ip("2001:db8::1")]) == .resolve)
    #expect(change(nftables, loadedWith: Self.addresses, known: [ip("2001:db8::1")], now: Self.addresses) == .resolve)
  }

  @Test func bindAddressStaysPrimaryWhateverTheMachineSays() {
    var settings = nftables
    settings.proxy.bindAddress = ip("192.0.2.9")
    let now = ["192.0.2.77", "192.0.2.9", "2001:db8::1"].map(ip)
    #expect(change(settings, loadedWith: Self.addresses, known: Self.addresses, now: now) == .resolve)
  }
}
