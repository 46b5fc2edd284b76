import KubeModel
import PluginHost
import ServiceProxy

/// kube-proxy's `/metrics`, under kube-proxy's names, with what this proxy knows besides.
///
/// kube-proxy has one proxier for each IP family and tells them apart by the label `ip_family`. Here one sync does both: its numbers
/// stand under both families, so that dashboards which ask for one find it.
package enum ProxyMetricsPage {
  package static func render(
    _ metrics: ProxyMetrics, _ status: ProxyLoop.Status, mode: String, counters: [String: ServicePortCounters],
    conntrack: ConntrackNumbers?, plugins: [PluginMetrics.Sample], withoutLocalEndpoints: [MissingLocalEndpoints: Int] = [:],
    answers: [ProxyHealthAnswer.Count: UInt64] = [:]
  ) -> String {
    var page = MetricsText()
    sync(metrics, mode, &page)
    changes(metrics, &page)
    local(withoutLocalEndpoints, &page)
    health(answers, &page)
    page.counter("swiftlet_proxy_repairs_total", "Times rules were restored that somebody else had changed.", metrics.repairs)
    page.gauge(
      "swiftlet_proxy_unprogrammed_service_ports", "Service ports the backend could not program.", Double(status.failures.count))
    if let conntrack {
      page.histograms(
        "kubeproxy_conntrack_reconciler_sync_duration_seconds", "Time of a look for stale flows.", both(conntrack.duration))
      page.counters("kubeproxy_conntrack_reconciler_deleted_entries_total", "Stale flows deleted.", both(conntrack.deleted))
    }
    services(counters, &page)
    for sample in plugins { plugin(sample, &page) }
    return page.text
  }

  private static func both<Value>(_ value: Value) -> [(labels: [(String, String)], value: Value)] {
    IPFamily.allCases.map { ([("ip_family", $0.rawValue)], value) }
  }

  private static func both(_ histogram: Histogram) -> [(labels: [(String, String)], values: Histogram)] {
    IPFamily.allCases.map { ([("ip_family", $0.rawValue)], histogram) }
  }

  private static func sync(_ metrics: ProxyMetrics, _ mode: String, _ page: inout MetricsText) {
    page.histograms("kubeproxy_sync_proxy_rules_duration_seconds", "Time of a sync of the rules.", both(metrics.sync))
    page.histograms("kubeproxy_sync_full_proxy_rules_duration_seconds", "Time of a full sync.", both(metrics.fullSync))
    page.histograms("kubeproxy_sync_partial_proxy_rules_duration_seconds", "Time of a sync of what changed.", both(metrics.partialSync))
    page.histograms(
      "kubeproxy_network_programming_duration_seconds", "From a change being known to its being in the kernel.",
      both(metrics.programming))
    page.gauge("swiftlet_proxy_longest_transaction_seconds", "The longest one batch took in the kernel.", metrics.longestTransaction)
    page.gauges("kubeproxy_sync_proxy_rules_last_timestamp_seconds", "Unix time of the last sync.", both(metrics.lastSync))
    page.gauges("kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds", "Unix time of the last change.", both(metrics.lastQueued))
    // Upstream has a name for each mode; ipvs has none there.
    switch mode {
    case "iptables":
      page.counters("kubeproxy_sync_proxy_rules_iptables_restore_failures_total", "Syncs that failed.", both(metrics.syncFailures))
    case "nftables":
      page.counters("kubeproxy_sync_proxy_rules_nftables_sync_failures_total", "Syncs that failed.", both(metrics.syncFailures))
    default: break
    }
    page.counter("swiftlet_proxy_sync_failures_total", "Syncs that failed.", metrics.syncFailures)
  }

  private static func changes(_ metrics: ProxyMetrics, _ page: inout MetricsText) {
    let name = "kubeproxy_sync_proxy_rules"
    page.counter("\(name)_service_changes_total", "Changes of Services since the start.", metrics.serviceChanges)
    page.counter("\(name)_endpoint_changes_total", "Changes of EndpointSlices since the start.", metrics.endpointChanges)
    page.gauge(
      "\(name)_service_changes_pending", "Changes of Services the kernel has not got yet.", Double(metrics.pendingServiceChanges))
    page.gauge(
      "\(name)_endpoint_changes_pending", "Changes of EndpointSlices the kernel has not got yet.", Double(metrics.pendingEndpointChanges))
  }

  /// Every policy and family has its number, 0 too.
  private static func local(_ missing: [MissingLocalEndpoints: Int], _ page: inout MetricsText) {
    let series = MissingLocalEndpoints.Policy.allCases.flatMap { policy in
      IPFamily.allCases.map { family in
        (
          labels: [("ip_family", family.rawValue), ("traffic_policy", policy.rawValue)],
          value: Double(missing[MissingLocalEndpoints(policy, family)] ?? 0)
        )
      }
    }
    page.gauges(
      "kubeproxy_sync_proxy_rules_no_local_endpoints_total",
      "Service ports with a Local traffic policy and endpoints on other nodes only.", series)
  }

  private static func health(_ answers: [ProxyHealthAnswer.Count: UInt64], _ page: inout MetricsText) {
    for question in ProxyHealthAnswer.Question.allCases {
      let series = answers.filter { $0.key.question == question }.sorted { $0.key.status < $1.key.status }
      page.counters(
        "kubeproxy_proxy_\(question)_total", "Answers of \(question.rawValue) by status.",
        series.map { ([("code", "\($0.key.status)")], $0.value) })
    }
  }

  private static func services(_ counters: [String: ServicePortCounters], _ page: inout MetricsText) {
    let sorted = counters.sorted { $0.key < $1.key }
    func series(_ field: KeyPath<ServicePortCounters, UInt64?>) -> [(labels: [(String, String)], value: UInt64)] {
      sorted.compactMap { key, counters in counters[keyPath: field].map { ([("service_port", key)], $0) } }
    }
    page.counters("swiftlet_service_connections_total", "New connections sent to an endpoint.", series(\.connections))
    page.counters("swiftlet_service_packets_total", "Packets of all connections.", series(\.packets))
    page.counters("swiftlet_service_bytes_total", "Bytes of all connections.", series(\.bytes))
    let refused =
      series(\.noEndpoint).map { ($0.labels + [("reason", "no_endpoint")], $0.value) }
      + series(\.sourceRefused).map { ($0.labels + [("reason", "source_range")], $0.value) }
    page.counters("swiftlet_service_refusals_total", "New connections that were not served.", refused)
  }

  private static func plugin(_ sample: PluginMetrics.Sample, _ page: inout MetricsText) {
    switch sample.kind {
    case .counter: page.counter(sample.name, sample.help, sample.value)
    case .gauge: page.gauge(sample.name, sample.help, sample.value)
    case .histogram:
      page.counter("\(sample.name)_sum", sample.help, sample.value)
      page.counter("\(sample.name)_count", sample.help, sample.count)
    }
  }
}

/// What the conntrack reconciler counts.
package struct ConntrackNumbers: Sendable {
  package var duration = Histogram(bounds: Histogram.syncBounds)
  package var deleted: UInt64 = 0

  package init() {}
}
