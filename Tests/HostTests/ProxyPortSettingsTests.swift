import ArgumentParser
import KubeModel
import Testing
import swiftlet

/// Where kube-proxy's two ports are.
struct ProxyPortSettingsTests {
  private func settings(_ arguments: [String] = [], document: String? = nil) throws -> Settings {
    let directory = try TemporaryDirectory()
    var arguments = arguments
    if let document {
      let text = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n\(document)"
      arguments += ["--config", try directory.write("proxy.yaml", text)]
    }
    return try SettingsOptions.parse(arguments).settings().settings
  }

  @Test func whereKubeProxyIsReplacedItsHealthPortIsThere() throws {
    #expect(try settings().proxyHealthzPlace == nil)
    #expect(try settings(["--pods=false"]).proxyHealthzPlace?.description == "0.0.0.0:10256")
    #expect(try settings(document: "mode: nftables\n").proxyHealthzPlace?.description == "0.0.0.0:10256")
    #expect(try settings(document: "healthzBindAddress: \"\"\n").proxyHealthzPlace?.description == "0.0.0.0:10256")
  }

  @Test func theFamilyOfTheDefaultsIsThatOfBindAddress() throws {
    let settings = try settings(document: "bindAddress: \"::\"\n")
    #expect(settings.proxyHealthzPlace?.description == "[::]:10256" && settings.proxyMetricsPlace?.description == "[::1]:10249")
  }

  @Test func whatIsGivenGoesBeforeTheDefaults() throws {
    let file = try settings(document: "healthzBindAddress: 192.0.2.1:1\nmetricsBindAddress: 192.0.2.1:2\n")
    #expect(file.proxyHealthzPlace?.description == "192.0.2.1:1" && file.proxyMetricsPlace?.description == "192.0.2.1:2")
    let flags = ["--proxy-healthz-bind-address", "[::1]:3", "--metrics-bind-address", ""]
    let both = try settings(flags, document: "healthzBindAddress: 192.0.2.1:1\n")
    #expect(both.proxyHealthzPlace?.description == "[::1]:3" && both.proxyMetricsPlace == nil)
  }

  @Test func anEmptyFlagTurnsThePortOff() throws {
    #expect(try settings(["--pods=false", "--proxy-healthz-bind-address", ""]).proxyHealthzPlace == nil)
  }
}
