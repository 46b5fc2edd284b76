import KubeModel

/// Where one of kube-proxy's ports is served.
package enum ListeningPlace: Sendable, Equatable {
  /// Nobody said; what that means depends on other settings.
  case byDefault
  case off
  case at(AddressAndPort)
}

extension Settings {
  /// `nil`: nowhere. By default on loopback, of the family of `bindAddress`, as upstream.
  package var proxyMetricsPlace: AddressAndPort? { place(proxyMetrics, byDefault: ["127.0.0.1", "::1"], port: 10249) }

  /// `nil`: nowhere. Upstream's default is to answer at every address; here only where kube-proxy is what is replaced: without
  /// pods, or with its configuration. Beside pods kubelet's `/healthz` tells of the proxy too.
  package var proxyHealthzPlace: AddressAndPort? {
    let isExpected = hasKubeProxyConfiguration || !runsPods
    return place(proxyHealthz, byDefault: isExpected ? ["0.0.0.0", "::"] : [], port: 10256)
  }

  private func place(_ place: ListeningPlace, byDefault hosts: [String], port: UInt16) -> AddressAndPort? {
    switch place {
    case .off: return nil
    case .at(let place): return place
    case .byDefault:
      let family = proxy.bindAddress?.family ?? .v4
      return hosts.compactMap { IPAddress($0) }.first { $0.family == family }.map { AddressAndPort(address: $0, port: port) }
    }
  }
}
