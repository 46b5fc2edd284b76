/// Why a flow leads nowhere; the raw value is for metrics.
public enum StaleReason: String, Sendable, Hashable, CaseIterable {
  /// Its packets go to what is no endpoint of the Service any more.
  case endpointGone = "endpoint_gone"
  /// Its packets go to the Service's own address, where nobody listens: it began before the Service had an endpoint.
  case untranslated
  /// The Service, or the front end the flow came through, is gone.
  case serviceGone = "service_gone"
}
