import ServiceProxy
import Testing
import swiftlet

/// What probes and balancers read on kube-proxy's health port.
struct ProxyHealthAnswerTests {
  /// 2026-11-23T18:00:00Z
  private static let now: Int64 = 1_795_456_800 * 1_000_000_000

  private func health(waiting seconds: Int64, lastUpdated: Double = 1_795_456_700) -> ProxyHealth {
    let second: Int64 = 1_000_000_000
    return ProxyHealth(
      waitingSince: seconds == 0 ? 0 : second, now: second * (1 + seconds), limit: .seconds(60), lastUpdated: lastUpdated)
  }

  @Test func aHealthyProxyWasUpdatedJustNow() {
    let answer = ProxyHealthAnswer(.healthz, health(waiting: 59), now: Self.now)
    let status = "{\"lastUpdated\":\"2026-11-23T17:58:20Z\",\"healthy\":true}"
    #expect(answer.isHealthy)
    #expect(
      answer.body == "{\"lastUpdated\":\"2026-11-23T18:00:00Z\",\"currentTime\":\"2026-11-23T18:00:00Z\",\"nodeEligible\":true,"
        + "\"healthy\":true,\"status\":{\"IPv4\":\(status),\"IPv6\":\(status)}}")
  }

  @Test func aSickOneSaysWhenItWasWellAndLivezNothingOfTheNode() {
    let answer = ProxyHealthAnswer(.livez, health(waiting: 60), now: Self.now)
    let status = "{\"lastUpdated\":\"2026-11-23T17:58:20Z\",\"healthy\":false}"
    #expect(!answer.isHealthy)
    #expect(
      answer.body == "{\"lastUpdated\":\"2026-11-23T17:58:20Z\",\"currentTime\":\"2026-11-23T18:00:00Z\","
        + "\"healthy\":false,\"status\":{\"IPv4\":\(status),\"IPv6\":\(status)}}")
  }

  @Test func oneThatStartsIsHealthyAndHasNoStatusYet() {
    let answer = ProxyHealthAnswer(.healthz, health(waiting: 0, lastUpdated: 0), now: Self.now)
    #expect(answer.isHealthy && !answer.body.contains("status"))
    let late = ProxyHealthAnswer(.healthz, health(waiting: 61, lastUpdated: 0), now: Self.now)
    #expect(!late.isHealthy && late.body.hasPrefix("{\"lastUpdated\":\"0001-01-01T00:00:00Z\""))
  }
}
