import PluginHost
import ServiceProxy

/// kube-proxy's `/metrics`, under kube-proxy's names, with what this proxy knows besides.
package enum ProxyMetricsPage {
  package static func render(
    _ metrics: ProxyMetrics, _ status: ProxyLoop.Status, mode: String, family: String = "", counters: [String: ServicePortCounters],
    conntrack: ConntrackNumbers?, plugins: [PluginMetrics.Sample]
  ) -> String {
    var page = MetricsText()
    sync(metrics, mode, &page)
    page.counter("kubeproxy_sync_proxy_rules_service_changes_total", "Changes of Services since the start.", metrics.serviceChanges)
    page.counter(
      "kubeproxy_sync_proxy_rules_endpoint_changes_total", "Changes of EndpointSlices since the start.", metrics.endpointChanges)
    page.counter("swiftlet_proxy_repairs_total", "Times rules were restored that somebody else had changed.", metrics.repairs)
    page.gauge(
      "swiftlet_proxy_unprogrammed_service_ports", "Service ports the backend could not program.", Double(status.failures.count))
    if let conntrack {
      page.histogram(
        "kubeproxy_conntrack_reconciler_sync_duration_seconds", "Time of a look for stale flows.", conntrack.duration)
      page.counter(
        "kubeproxy_conntrack_reconciler_deleted_entries_total", "Stale flows deleted.", conntrack.deleted)
    }
    services(counters, &page)
    for sample in plugins { plugin(sample, &page) }
    return page.text
  }

  private static func sync(_ metrics: ProxyMetrics, _ mode: String, _ page: inout MetricsText) {
    page.histogram("kubeproxy_sync_proxy_rules_duration_seconds", "Time of a sync of the rules.", metrics.sync)
    page.histogram("kubeproxy_sync_full_proxy_rules_duration_seconds", "Time of a full sync.", metrics.fullSync)
    page.histogram("kubeproxy_sync_partial_proxy_rules_duration_seconds", "Time of a sync of what changed.", metrics.partialSync)
    page.histogram(
      "kubeproxy_network_programming_duration_seconds", "From a change being known to its being in the kernel.", metrics.programming)
    page.gauge("swiftlet_proxy_longest_transaction_seconds", "The longest one batch took in the kernel.", metrics.longestTransaction)
    page.gauge("kubeproxy_sync_proxy_rules_last_timestamp_seconds", "Unix time of the last sync.", metrics.lastSync)
    page.gauge("kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds", "Unix time of the last change.", metrics.lastQueued)
    // Upstream has a name for each mode; ipvs has none there.
    switch mode {
    case "iptables":
      page.counter("kubeproxy_sync_proxy_rules_iptables_restore_failures_total", "Syncs that failed.", metrics.syncFailures)
    case "nftables":
      page.counter("kubeproxy_sync_proxy_rules_nftables_sync_failures_total", "Syncs that failed.", metrics.syncFailures)
    default: break
    }
    page.counter("swiftlet_proxy_sync_failures_total", "Syncs that failed.", metrics.syncFailures)
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
    case .counter: page.gauge(sample.name, sample.help, sample.value)
    case .gauge: page.gauge(sample.name, sample.help, sample.value)
    case .histogram:
      page.gauge("\(sample.name)_sum", sample.help, sample.value)
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
