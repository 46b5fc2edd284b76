import KubeModel
import Testing

@Suite struct ConfigurationTests {
  private func kubelet(_ text: String) -> DecodedConfiguration {
    decodeConfiguration("apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n\(text)")
  }

  private func swiftlet(_ text: String) -> DecodedConfiguration {
    decodeConfiguration("apiVersion: swiftlet.io/v1alpha1\nkind: SwiftletConfiguration\n\(text)")
  }

  @Test func kubeletSettingsArrive() throws {
    let decoded = kubelet(
      """
      staticPodPath: /etc/kubernetes/manifests
      fileCheckFrequency: 1m30s
      podLogsDir: /var/log/pods
      containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
      imageServiceEndpoint: ""
      healthzBindAddress: 127.0.0.1
      healthzPort: 0
      cgroupDriver: systemd
      cgroupRoot: /x
      cgroupsPerQOS: true
      runtimeRequestTimeout: 2m
      podPidsLimit: -1
      cpuCFSQuota: false
      cpuCFSQuotaPeriod: 50ms
      crashLoopBackOff: {maxContainerRestartPeriod: 60s}
      clusterDNS: [10.96.0.10]
      clusterDomain: cluster.local
      logging: {format: json, verbosity: 3}
      """)
    #expect(decoded.problems.isEmpty, "\(decoded.problems)")
    let expected = KubeletConfiguration(
      staticPodPath: "/etc/kubernetes/manifests", fileCheckFrequency: .seconds(90), podLogsDir: "/var/log/pods",
      containerRuntimeEndpoint: "unix:///run/containerd/containerd.sock", healthzBindAddress: IPAddress("127.0.0.1"), healthzPort: 0,
      cgroupDriver: .systemd, cgroupRoot: "/x", cgroupsPerQOS: true, runtimeRequestTimeout: .seconds(120), podPidsLimit: -1,
      cpuCFSQuota: false,
      cpuCFSQuotaPeriod: .milliseconds(50), crashLoopBackOff: CrashLoopBackOffConfig(maxContainerRestartPeriod: .seconds(60)),
      clusterDNS: [try #require(IPAddress("10.96.0.10"))], clusterDomain: "cluster.local",
      logging: LoggingConfiguration(format: .json, verbosity: 3))
    #expect(decoded.kubelet == expected)
  }

  @Test func aFileOfACommonInstallerIsTakenWithWarnings() {
    let decoded = kubelet(
      """
      authentication: {anonymous: {enabled: false}, webhook: {cacheTTL: 0s, enabled: true}, x509: {clientCAFile: /etc/kubernetes/pki/ca.crt}}
      authorization: {mode: Webhook, webhook: {cacheAuthorizedTTL: 0s, cacheUnauthorizedTTL: 0s}}
      cgroupDriver: systemd
      clusterDNS: [10.96.0.10]
      clusterDomain: cluster.local
      containerRuntimeEndpoint: ""
      cpuManagerReconcilePeriod: 0s
      crashLoopBackOff: {}
      evictionPressureTransitionPeriod: 0s
      fileCheckFrequency: 0s
      httpCheckFrequency: 0s
      imageMaximumGCAge: 0s
      imageMinimumGCAge: 0s
      logging: {flushFrequency: 0, options: {json: {infoBufferSize: "0"}, text: {infoBufferSize: "0"}}, verbosity: 0}
      memorySwap: {}
      nodeStatusReportFrequency: 0s
      nodeStatusUpdateFrequency: 0s
      rotateCertificates: true
      runtimeRequestTimeout: 0s
      shutdownGracePeriod: 0s
      shutdownGracePeriodCriticalPods: 0s
      staticPodPath: /etc/kubernetes/manifests
      streamingConnectionIdleTimeout: 0s
      syncFrequency: 0s
      volumeStatsAggPeriod: 0s
      """)
    #expect(decoded.problems.map(\.fieldPath) == ["authentication", "authorization", "rotateCertificates"])
    #expect(decoded.problems.allSatisfy { $0.severity == .warning })
    #expect(decoded.kubelet?.fileCheckFrequency == nil)
    #expect(decoded.kubelet?.staticPodPath == "/etc/kubernetes/manifests")
  }

  @Test(arguments: [
    ("staticPodPth: /x", "staticPodPth", "did you mean staticPodPath?"), ("fileCheckFrequency: 20", "fileCheckFrequency", "quote it"),
    ("fileCheckFrequency: 20sec", "fileCheckFrequency", "duration"),
    ("fileCheckFrequency: -1s", "fileCheckFrequency", "negative"), ("healthzPort: 70000", "healthzPort", "between 0 and 65535"),
    ("cgroupDriver: cgroupv2", "cgroupDriver", "cgroupfs, systemd"),
    ("cpuCFSQuotaPeriod: 2s", "cpuCFSQuotaPeriod", "between 1ms and 1s"),
    ("crashLoopBackOff: {maxContainerRestartPeriod: 301s}", "crashLoopBackOff.maxContainerRestartPeriod", "between 1s and 300s"),
    ("clusterDNS: 10.0.0.1", "clusterDNS", "must be a list"), ("logging: {format: xml}", "logging.format", "text, json"),
    ("podLogsDir: logs", "podLogsDir", "absolute"), ("maxPods: 5\nmaxPods: 6", "maxPods", "duplicate key"),
  ])
  func badKubeletSettingsAreErrors(text: String, path: String, part: String) {
    let decoded = kubelet(text)
    #expect(decoded.problems.contains { $0.severity == .error && $0.fieldPath == path && $0.reason.contains(part) }, "\(decoded.problems)")
    #expect(decoded.kubelet == nil)
  }

  @Test(arguments: [
    "maxPods: 5", "evictionHard: {memory.available: 100Mi}", "featureGates: {A: true}", "failCgroupV1: false", "seccompDefault: true",
    "tracing: {samplingRatePerMillion: 1}", "registerWithTaints: [{key: a}]", "userNamespaces: {idsPerPod: 65536}",
  ])
  func knownSettingsWithoutEffectAreWarnings(text: String) {
    let decoded = kubelet(text)
    #expect(decoded.problems.map(\.severity) == [.warning])
    #expect(decoded.problems.map(\.reason) == ["not supported yet, has no effect"])
    #expect(decoded.kubelet == KubeletConfiguration())
  }

  @Test func ownSettingsArrive() throws {
    let decoded = swiftlet(
      "pluginDirectories: [/a, /b]\nserviceClusterIPRange: 10.96.0.0/16\nstateDirectory: /s\ncgroupDriverPath: /c.so\nproxyMode: auto\ncrashLoopBackOff: {initial: 1s, max: 1m}\n"
    )
    #expect(decoded.problems.isEmpty)
    #expect(
      decoded.swiftlet
        == SwiftletConfiguration(
          pluginDirectories: ["/a", "/b"], serviceClusterIPRange: [try #require(CIDR("10.96.0.0/16"))], stateDirectory: "/s",
          cgroupDriverPath: "/c.so", proxyMode: "auto",
          crashLoopBackOff: SwiftletConfiguration.CrashLoopBackOff(initial: .seconds(1), max: .seconds(60))))
    #expect(swiftlet("pluginDirectories: [a]").problems.map(\.fieldPath) == ["pluginDirectories[0]"])
    #expect(swiftlet("crashLoopBackOff: {initial: 2s, max: 1s}").problems.map(\.fieldPath) == ["crashLoopBackOff.initial"])
  }

  @Test func oneFileHoldsAllKindsOnce() {
    let all =
      "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n---\napiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n---\napiVersion: swiftlet.io/v1alpha1\nkind: SwiftletConfiguration\n"
    let decoded = decodeConfiguration(all)
    #expect(decoded.problems.isEmpty)
    #expect(decoded.kubelet != nil && decoded.kubeProxy != nil && decoded.swiftlet != nil)
    #expect(
      decodeConfiguration(all + "---\n" + all).problems.map(\.reason)
        == [1, 4, 7].map { "this kind is already on line \($0) of this file" })
  }

  @Test(arguments: [
    (
      "apiVersion: v1\nkind: Pod\n",
      "c.yaml:2: Pod in document 1: kind: Pod is no kind of a configuration file: KubeletConfiguration, KubeProxyConfiguration, SwiftletConfiguration are"
    ),
    ("kind: KubeletConfiguration\n", "c.yaml:1: KubeletConfiguration in document 1: apiVersion: required: kubelet.config.k8s.io/v1beta1"),
    (
      "apiVersion: kubelet.config.k8s.io/v1\nkind: KubeletConfiguration\n",
      "c.yaml:1: KubeletConfiguration in document 1: apiVersion: KubeletConfiguration is read as kubelet.config.k8s.io/v1beta1, not kubelet.config.k8s.io/v1"
    ),
    ("a: [", "c.yaml:2: document 1: bad YAML: did not find expected node content (while parsing a flow node that starts on line 2)"),
    ("[1]", "c.yaml:1: document 1: must be a mapping with apiVersion and kind, not a list"),
  ])
  func otherFilesAreRefused(text: String, line: String) {
    let decoded = decodeConfiguration(text)
    #expect(decoded.problems.map(\.description) == [line])
  }

  @Test(
    arguments: [
      ("0", .zero), ("1s", .seconds(1)), ("1m30s", .seconds(90)), ("1.5h", .seconds(5400)), ("300ms", .milliseconds(300)),
      ("1us", .microseconds(1)), ("1µs", .microseconds(1)), ("7ns", .nanoseconds(7)), (".5s", .milliseconds(500)),
      ("1h0m1s", .seconds(3601)), ("0.0000000001s", .zero),
    ] as [(String, Duration)])
  func durationsAreRead(text: String, expected: Duration) {
    // Zero is "not given".
    #expect(kubelet("runtimeRequestTimeout: \"\(text)\"").kubelet?.runtimeRequestTimeout == (expected == .zero ? nil : expected))
  }

  @Test(arguments: ["", "1", "s", "1 s", "1s ", "1x", "1.2.3s", "--1s", "9223372036854775808ns", "99999999999999999999h", "1s1", "."])
  func otherTextIsNoDuration(text: String) {
    #expect(kubelet("runtimeRequestTimeout: \"\(text)\"").problems.map(\.fieldPath) == ["runtimeRequestTimeout"])
  }
}
