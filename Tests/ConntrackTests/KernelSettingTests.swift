import Conntrack
import Glibc
import Testing

@Suite struct KernelSettingTests {
  private func plan(_ processors: Int = 2, _ change: (inout ConntrackSettings) -> Void = { _ in }) -> [String: KernelSetting] {
    var settings = ConntrackSettings()
    change(&settings)
    return Dictionary(uniqueKeysWithValues: KernelSettingPlan.settings(settings, processors: processors).map { ($0.name, $0) })
  }

  private let maximum = "net.netfilter.nf_conntrack_max"
  private let hashSize = "/sys/module/nf_conntrack/parameters/hashsize"

  @Test func theDefaultsAreThoseOfKubeProxy() {
    let plan = plan()
    #expect(
      plan.mapValues(\.wanted) == [
        maximum: 131072, hashSize: 32768, "net.netfilter.nf_conntrack_tcp_timeout_established": 86400,
        "net.netfilter.nf_conntrack_tcp_timeout_close_wait": 3600,
      ])
    #expect(plan[maximum]?.rule == .atLeast && plan[hashSize]?.rule == .atLeast)
  }

  @Test(arguments: [(1, 131072), (4, 131072), (5, 163840), (16, 524288), (32, 1 << 20), (256, 1 << 20), (0, 131072)])
  func theLimitGrowsWithTheProcessors(_ processors: Int, _ limit: Int) {
    #expect(plan(processors)[maximum]?.wanted == limit)
    #expect(plan(processors)[hashSize]?.wanted == limit / 4)
  }

  @Test func theLimitIsLeftAloneWhenAskedTo() {
    let plan = plan { $0.maxPerCore = 0 }
    #expect(plan[maximum] == nil && plan[hashSize] == nil)
    #expect(plan.count == 2)
  }

  @Test func aLeastLimitOfTheOperatorIsNotCapped() {
    #expect(plan(256) { $0.min = 3_000_000 }[maximum]?.wanted == 3_000_000)
    #expect(plan(2) { $0.maxPerCore = .max }[maximum]?.wanted == 1 << 20)
  }

  @Test func timeoutsAreSetOnlyWhenGiven() {
    let plan = plan {
      $0.tcpEstablishedTimeout = .zero
      $0.tcpCloseWaitTimeout = .seconds(-1)
      $0.udpTimeout = .milliseconds(30_900)
      $0.udpStreamTimeout = .milliseconds(200)
    }
    #expect(plan["net.netfilter.nf_conntrack_tcp_timeout_established"] == nil)
    #expect(plan["net.netfilter.nf_conntrack_tcp_timeout_close_wait"] == nil)
    #expect(plan["net.netfilter.nf_conntrack_udp_timeout"]?.wanted == 30)
    #expect(plan["net.netfilter.nf_conntrack_udp_timeout_stream"]?.wanted == 1)
  }

  @Test func switchesAreTurnedOnlyWhenAskedFor() {
    let liberal = "net.netfilter.nf_conntrack_tcp_be_liberal"
    let localnet = "net.ipv4.conf.all.route_localnet"
    #expect(plan()[liberal] == nil && plan()[localnet] == nil)
    let plan = plan { ($0.tcpBeLiberal, $0.routesLocalnet) = (true, true) }
    #expect(plan[liberal]?.wanted == 1)
    #expect(plan[localnet]?.wanted == 1)
    #expect(plan[localnet]?.path == "proc/sys/net/ipv4/conf/all/route_localnet")
  }

  @Test(arguments: [("0-3", 4), ("0-3,8", 5), ("0", 1), ("0-1,4-5,7\n", 5), ("", 1), ("x", 1), ("5-2", 1)])
  func processorsAreCountedAsTheKernelListsThem(_ list: String, _ count: Int) { #expect(KernelSettings.count(list) == count) }

  @Test(arguments: [EROFS, EACCES]) func aWarningNamesTheWayOut(_ errno: Int32) throws {
    let setting = KernelSetting(path: "proc/sys/net/netfilter/nf_conntrack_max", wanted: 262144, rule: .atLeast)
    let outcome = KernelSettingOutcome(setting: setting, current: 65536, result: .failed(operation: "open it for writing", osErrno: errno))
    let warning = try #require(outcome.warning)
    for part in [maximum, "at least 262144", "it is 65536", "/etc/sysctl.d", "errno \(errno)"] { #expect(warning.contains(part)) }
    #expect(KernelSettingOutcome(setting: setting, current: 262144, result: .kept).warning == nil)
  }
}
