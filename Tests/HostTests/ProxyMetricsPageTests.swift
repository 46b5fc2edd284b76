import KubeModel
import ServiceProxy
import Testing
import swiftlet

/// What a scraper reads.
struct ProxyMetricsPageTests {
  private func page(_ change: (inout ProxyMetrics) -> Void = { _ in }) -> [String] {
    var metrics = ProxyMetrics()
    change(&metrics)
    let text = ProxyMetricsPage.render(
      metrics, ProxyLoop.Status(), mode: "nftables", counters: [:], conntrack: ConntrackNumbers(), plugins: [],
      withoutLocalEndpoints: [.init(.external, .v6): 3],
      answers: [
        .init(question: .healthz, status: 200): 7, .init(question: .healthz, status: 503): 1, .init(question: .livez, status: 200): 2,
      ])
    return text.split(separator: "\n").map(String.init)
  }

  @Test func whatUpstreamTellsApartByFamilyIsThereForBoth() {
    let lines = page {
      $0.sync.observe(0.5)
      $0.syncFailures = 4
    }
    for family in ["IPv4", "IPv6"] {
      #expect(lines.contains("kubeproxy_sync_proxy_rules_duration_seconds_count{ip_family=\"\(family)\"} 1"))
      #expect(lines.contains("kubeproxy_sync_proxy_rules_nftables_sync_failures_total{ip_family=\"\(family)\"} 4"))
      #expect(lines.contains("kubeproxy_conntrack_reconciler_deleted_entries_total{ip_family=\"\(family)\"} 0"))
    }
  }

  @Test func whatWaitsIsAGauge() {
    let lines = page {
      $0.pendingServiceChanges = 2
      $0.pendingEndpointChanges = 5
    }
    #expect(lines.contains("# TYPE kubeproxy_sync_proxy_rules_service_changes_pending gauge"))
    #expect(lines.contains("kubeproxy_sync_proxy_rules_service_changes_pending 2"))
    #expect(lines.contains("kubeproxy_sync_proxy_rules_endpoint_changes_pending 5"))
  }

  @Test func portsWithoutLocalEndpointsHaveANumberForEachPolicyAndFamily() {
    let name = "kubeproxy_sync_proxy_rules_no_local_endpoints_total"
    let found = page().filter { $0.hasPrefix(name) }
    #expect(found.count == 4)
    #expect(found.contains("\(name){ip_family=\"IPv6\",traffic_policy=\"external\"} 3"))
    #expect(found.contains("\(name){ip_family=\"IPv4\",traffic_policy=\"internal\"} 0"))
  }

  @Test func healthAnswersAreCountedByStatus() {
    let lines = page()
    #expect(lines.contains("kubeproxy_proxy_healthz_total{code=\"200\"} 7"))
    #expect(lines.contains("kubeproxy_proxy_healthz_total{code=\"503\"} 1"))
    #expect(lines.contains("kubeproxy_proxy_livez_total{code=\"200\"} 2"))
  }

  @Test func eachNameIsHeadedOnce() {
    let heads = page().filter { $0.hasPrefix("# TYPE ") }
    #expect(Set(heads).count == heads.count)
  }
}
