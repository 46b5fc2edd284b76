import KubeModel
import Logging
import Testing
import swiftlet

/// Errors and warnings of `--config` files.
struct ConfigurationFilesTests {
  private func load(_ text: String) throws -> (settings: Settings, warnings: [String]) {
    let directory = try TemporaryDirectory()
    var settings = Settings()
    let warnings = try ConfigurationFiles.load([try directory.write("config.yaml", text)], into: &settings)
    return (settings, warnings)
  }

  private func problem(_ text: String) throws -> String {
    do {
      _ = try load(text)
    } catch let problem as SettingsProblem {
      return problem.message
    }
    throw Failure("it was taken")
  }

  private func kubelet(_ fields: String) -> String { "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n\(fields)" }

  private func proxy(_ fields: String) -> String {
    "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n\(fields)"
  }

  @Test func aMissingFileIsNamed() {
    var settings = Settings()
    let error = #expect(throws: SettingsProblem.self) { try ConfigurationFiles.load(["/no/such/file"], into: &settings) }
    #expect(error?.message.hasPrefix("--config: ") == true)
    #expect(error?.message.contains("/no/such/file: No such file or directory") == true)
  }

  @Test func anUnknownFieldStopsTheStartWithItsPlace() throws {
    let message = try problem(kubelet("healthzPrt: 1\nstaticPodPath: 7\n"))
    #expect(message.hasPrefix("--config: /"))
    #expect(message.contains("config.yaml:3: KubeletConfiguration"))
    #expect(message.contains("healthzPrt"))
    // Both errors are told at once, a line each.
    #expect(message.split(separator: "\n").count == 2)
    #expect(message.contains("config.yaml:4:") && message.contains("staticPodPath"))
  }

  @Test func brokenYAMLAndForeignKindsAreErrors() throws {
    #expect(try problem("a: [").contains("config.yaml:"))
    #expect(try problem("apiVersion: v1\nkind: Pod\n").contains("Pod is no kind of a configuration file"))
  }

  @Test func aFieldThatIsNotDoneYetIsAWarning() throws {
    let (settings, warnings) = try load(kubelet("healthzPort: 10300\nmaxPods: 50\n"))
    #expect(settings.healthzPort == 10300)
    #expect(warnings.count == 1)
    #expect(warnings.first?.contains("maxPods") == true)
  }

  @Test func proxySettingsWithoutEffectAreWarnings() throws {
    let (settings, warnings) = try load(
      proxy("portRange: 1-2\nmode: nftables\ndetectLocalMode: NodeCIDR\nnftables: {minSyncPeriod: 1s}\nconfigSyncPeriod: 15m\n"))
    #expect(warnings.contains { $0.contains("portRange") })
    let own = settings.proxyWarnings(nodeAddresses: [])
    #expect(own.contains { $0.contains("NodeCIDR") && $0.contains("--cluster-cidr") })
    #expect(settings.proxyMinSyncPeriod == .seconds(1))
    #expect(own.contains { $0.contains("configSyncPeriod has no effect") })
  }

  @Test func primaryNodePortsAnswerOnTheNodesFirstAddresses() throws {
    let (settings, _) = try load(proxy("nodePortAddresses: [primary]\nmode: nftables\n"))
    let addresses = ["192.0.2.1", "192.0.2.9", "2001:db8::1"].compactMap { IPAddress($0) }
    #expect(settings.proxyPairs(nodeAddresses: addresses)["nodeport-cidrs"] == "192.0.2.1/32,2001:db8::1/128")
  }

  @Test func ipvsSettingsGoToTheIPVSBackendOnly() throws {
    let ipvs = "ipvs: {scheduler: sh, strictARP: true, excludeCIDRs: [10.9.0.0/16], udpTimeout: 10s}\n"
    let (settings, _) = try load(proxy("mode: ipvs\n\(ipvs)"))
    let pairs = settings.proxyPairs(nodeAddresses: [])
    #expect(pairs["scheduler"] == "sh" && pairs["strict-arp"] == "true" && pairs["exclude-cidrs"] == "10.9.0.0/16")
    #expect(pairs["udp-timeout"] == "10" && pairs["tcp-timeout"] == nil)
    let (other, _) = try load(proxy("mode: nftables\n\(ipvs)"))
    #expect(other.proxyPairs(nodeAddresses: [])["scheduler"] == nil)
  }

  @Test func onlyTheIptablesBackendIsAskedForLocalhostNodePorts() throws {
    #expect(try load(proxy("mode: iptables\n")).0.proxyPairs(nodeAddresses: [])["localhost-nodeports"] == "true")
    #expect(
      try load(proxy("mode: iptables\niptables: {localhostNodePorts: false}\n")).0.proxyPairs(nodeAddresses: [])["localhost-nodeports"]
        == nil)
    #expect(try load(proxy("mode: nftables\n")).0.proxyPairs(nodeAddresses: [])["localhost-nodeports"] == nil)
  }

  @Test func emptyValuesMeanNotGiven() throws {
    let (settings, warnings) = try load(kubelet("staticPodPath: \"\"\ncontainerRuntimeEndpoint: \"\"\n") + "---\n" + proxy("mode: \"\"\n"))
    var expected = Settings()
    // That there was a document is known all the same.
    expected.hasKubeProxyConfiguration = true
    #expect(settings == expected)
    #expect(warnings.isEmpty)
  }

  @Test func cgroupsPerQOSOffMeansNoCgroupTree() throws {
    #expect(try load(kubelet("cgroupsPerQOS: false\n")).settings.cgroupDriver == "none")
  }

  @Test func logSettingsAreUpstreams() throws {
    let (settings, _) = try load(kubelet("logging: {format: json, verbosity: 4}\n"))
    #expect(settings.logFormat == .json && settings.logLevel == .debug)
    let (other, _) = try load(proxy("logging: {format: json, verbosity: 5}\n"))
    #expect(other.logFormat == .json && other.logLevel == .debug)
  }
}
