import ArgumentParser
import KubeModel
import Testing
import swiftlet

/// Defaults, files and flags become settings.
struct SettingsTests {
  private func settings(_ arguments: [String]) throws -> Settings { try SettingsOptions.parse(arguments).settings().settings }

  private func problem(_ arguments: [String]) throws -> String {
    let options = try SettingsOptions.parse(arguments)
    do {
      _ = try options.settings()
    } catch {
      return error.message
    }
    throw Failure("\(arguments) was taken")
  }

  private static let kubelet = """
    apiVersion: kubelet.config.k8s.io/v1beta1
    kind: KubeletConfiguration
    staticPodPath: /from/file
    healthzPort: 10300
    cgroupDriver: cgroupfs
    podPidsLimit: 100
    runtimeRequestTimeout: 3m
    containerRuntimeEndpoint: unix:///from/file.sock
    crashLoopBackOff:
      maxContainerRestartPeriod: 5s
    """
  private static let proxy = """
    apiVersion: kubeproxy.config.k8s.io/v1alpha1
    kind: KubeProxyConfiguration
    mode: nftables
    clusterCIDR: 10.1.0.0/16
    hostnameOverride: file-node
    nodePortAddresses: ["192.0.2.0/24"]
    nftables: {masqueradeBit: 20}
    """
  private static let own = """
    apiVersion: swiftlet.io/v1alpha1
    kind: SwiftletConfiguration
    serviceClusterIPRange: 10.97.0.0/16,fd00:97::/112
    pluginDirectories: ["/plugins/file"]
    """

  @Test func theDefaultsAreUpstreams() throws {
    let settings = try settings([])
    #expect(settings.runtimeEndpoint == "unix:///run/containerd/containerd.sock")
    #expect(settings.proxyMode == "auto" && settings.cgroupDriver == "auto")
    #expect(settings.healthzAddress == "127.0.0.1" && settings.healthzPort == 10248)
    #expect(settings.crashBackoffInitial == .seconds(10) && settings.crashBackoffMaximum == .seconds(300))
    #expect(settings.podManifestPath == nil && settings.podLogDirectory == "/var/log/pods")
    #expect(settings.serviceRanges.map(\.description) == ["10.96.0.0/16"])
    #expect(settings.proxyPairs(nodeAddresses: []) == ["service-cidrs": "10.96.0.0/16"])
    #expect(settings.proxyMetricsPlace?.description == "127.0.0.1:10249" && settings.proxyHealthzPlace == nil)
    #expect(settings.runsPods && !settings.isInitOnly && settings.proxySyncPeriod == .seconds(30))
  }

  @Test func besideSomebodyElsesKubeletItsPortIsLeftToIt() throws {
    #expect(try settings(["--pods=false"]).healthzPort == 0)
    #expect(try settings(["--pods=false", "--healthz-port", "10300"]).healthzPort == 10300)
  }

  @Test func filesWinOverDefaults() throws {
    let directory = try TemporaryDirectory()
    let file = try directory.write("all.yaml", [Self.kubelet, Self.proxy, Self.own].joined(separator: "\n---\n"))
    let settings = try settings(["--config", file])
    #expect(settings.podManifestPath == "/from/file" && settings.healthzPort == 10300)
    #expect(settings.cgroupDriver == "auto" && settings.podPidsLimit == 100)
    #expect(settings.runtimeRequestTimeout == .seconds(180) && settings.runtimeEndpoint == "unix:///from/file.sock")
    // The shorter limit pulls the first wait down with it.
    #expect(settings.crashBackoffMaximum == .seconds(5) && settings.crashBackoffInitial == .seconds(5))
    #expect(settings.proxyMode == "nftables" && settings.hostnameOverride == "file-node")
    #expect(
      settings.proxyPairs(nodeAddresses: []) == [
        "cluster-cidrs": "10.1.0.0/16", "nodeport-cidrs": "192.0.2.0/24,::/0", "masquerade-bit": "20",
        "service-cidrs": "10.97.0.0/16,fd00:97::/112",
      ])
    #expect(settings.serviceRanges.map(\.description) == ["10.97.0.0/16", "fd00:97::/112"])
  }

  @Test func flagsWinOverFiles() throws {
    let directory = try TemporaryDirectory()
    let first = try directory.write("kubelet.yaml", Self.kubelet)
    let second = try directory.write("other.yaml", "\(Self.proxy)\n---\n\(Self.own)")
    let settings = try settings([
      "--config", first, "--config", second, "--pod-manifest-path", "/from/flag", "--healthz-port", "0", "--proxy-mode", "none",
      "--hostname-override", "flag-node", "--cluster-cidr", "10.2.0.0/16,fd01::/64", "--service-cluster-ip-range", "10.98.0.0/16",
      "--plugin-dir", "/plugins/flag", "--crash-backoff-initial", "500ms", "--crash-backoff-max", "2s",
      "--container-runtime-endpoint", "unix:///from/flag.sock", "--cgroup-driver", "cgroupv1",
    ])
    #expect(settings.podManifestPath == "/from/flag" && settings.healthzPort == 0)
    #expect(settings.proxyMode == "none" && settings.hostnameOverride == "flag-node" && settings.cgroupDriver == "cgroupv1")
    #expect(settings.proxy.clusterCIDR.map(\.description) == ["10.2.0.0/16", "fd01::/64"])
    #expect(settings.serviceRanges.map(\.description) == ["10.98.0.0/16"])
    // Those of the flag are looked at first; none is lost.
    #expect(settings.pluginDirectories == ["/plugins/flag", "/plugins/file"])
    #expect(settings.crashBackoffInitial == .milliseconds(500) && settings.crashBackoffMaximum == .seconds(2))
    #expect(settings.runtimeEndpoint == "unix:///from/flag.sock")
  }

  @Test func relativePathsStartWhereTheCommandDoes() throws {
    let settings = try settings(["--pod-manifest-path", "manifests", "--root-dir", "state"])
    #expect(settings.podManifestPath?.hasPrefix("/") == true && settings.podManifestPath?.hasSuffix("/manifests") == true)
    #expect(settings.rootDirectory.hasPrefix("/") && settings.rootDirectory.hasSuffix("/state"))
  }

  @Test func theSystemdDriverIsRefusedWithTheWayOut() throws {
    let flag = try problem(["--cgroup-driver", "systemd"])
    #expect(flag.hasPrefix("--cgroup-driver: systemd is not supported yet"))
    #expect(flag.contains("SystemdCgroup = false"))
    let directory = try TemporaryDirectory()
    let file = try directory.write(
      "kubelet.yaml", Self.kubelet.replacing("cgroupDriver: cgroupfs", with: "cgroupDriver: systemd"))
    #expect(try problem(["--config", file]).contains("cgroupDriver: systemd is not supported yet"))
  }

  @Test(arguments: [
    (["--service-cluster-ip-range", "10.96.0.0"], "--service-cluster-ip-range \"10.96.0.0\""),
    (["--service-cluster-ip-range", "10.96.0.0/16,"], "--service-cluster-ip-range"),
    (["--service-cluster-ip-range", "10.96.0.0/16,10.97.0.0/16"], "--service-cluster-ip-range takes at most one range"),
    (["--cluster-cidr", "pods"], "--cluster-cidr \"pods\""), (["--log-format", "xml"], "--log-format \"xml\": must be text or json"),
    (["--log-level", "loud"], "--log-level \"loud\""), (["--crash-backoff-initial", "soon"], "--crash-backoff-initial \"soon\""),
    (["--crash-backoff-max", "0s"], "--crash-backoff-max \"0s\""), (["--crash-backoff-initial", "10m"], "crash back-off: initial"),
    (["--socket", "/" + String(repeating: "s", count: 107)], "--socket"),
  ])
  func aBadValueNamesItsFlag(_ arguments: [String], _ start: String) throws {
    #expect(try problem(arguments).hasPrefix(start))
  }

  @Test func valuesOfTheWrongTypeAreRefusedByTheParser() {
    for arguments in [["--healthz-port", "70000"], ["--healthz-port", "x"], ["--no-such-flag"]] {
      #expect(throws: (any Error).self) { try SettingsOptions.parse(arguments) }
    }
  }
}
