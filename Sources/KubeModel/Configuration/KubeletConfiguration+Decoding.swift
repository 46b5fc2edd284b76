extension KubeletConfiguration {
  /// Settings of kubelet 1.36 (and the next one) that have no effect yet.
  private static let unsupported = [
    "address", "allowedUnsafeSysctls", "authentication", "authorization", "configMapAndSecretChangeDetectionStrategy",
    "containerLogMaxFiles", "containerLogMaxSize", "containerLogMaxWorkers", "containerLogMonitorInterval", "contentType",
    "cpuManagerPolicy", "cpuManagerPolicyOptions", "cpuManagerReconcilePeriod", "defaultPodSysctls", "enableContentionProfiling",
    "enableControllerAttachDetach", "enableDebugFlagsHandler", "enableDebuggingHandlers", "enableProfilingHandler", "enableServer",
    "enableSystemLogHandler", "enableSystemLogQuery", "enforceNodeAllocatable", "eventBurst", "eventRecordQPS", "evictionHard",
    "evictionMaxPodGracePeriod", "evictionMinimumReclaim", "evictionPressureTransitionPeriod", "evictionSoft",
    "evictionSoftGracePeriod", "failCgroupV1", "failSwapOn", "featureGates", "hairpinMode", "httpCheckFrequency",
    "imageGCHighThresholdPercent", "imageGCLowThresholdPercent", "imageMaximumGCAge", "imageMinimumGCAge",
    "imagePullCredentialsVerificationPolicy", "iptablesDropBit", "iptablesMasqueradeBit", "kernelMemcgNotification", "kubeAPIBurst",
    "kubeAPIQPS", "kubeReserved", "kubeReservedCgroup", "kubeletCgroups", "localStorageCapacityIsolation", "makeIPTablesUtilChains",
    "maxOpenFiles", "maxParallelImagePulls", "maxPods", "memoryManagerPolicy", "memoryReservationPolicy", "memorySwap",
    "memoryThrottlingFactor", "mergeDefaultEvictionSettings", "nodeLeaseDurationSeconds", "nodeStatusMaxImages",
    "nodeStatusReportFrequency", "nodeStatusUpdateFrequency", "oomScoreAdj", "podCIDR", "podsPerCore",
    "preloadedImagesVerificationAllowlist", "protectKernelDefaults", "providerID", "qosReserved", "readOnlyPort", "registerNode",
    "registerWithTaints", "registryBurst", "registryPullQPS", "reservedMemory", "reservedSystemCPUs", "resolvConf",
    "rotateCertificates", "runOnce", "seccompDefault", "serializeImagePulls", "serverTLSBootstrap", "showHiddenMetricsForVersion",
    "shutdownGracePeriod", "shutdownGracePeriodByPodPriority", "shutdownGracePeriodCriticalPods", "singleProcessOOMKill",
    "staticPodURL", "staticPodURLHeader", "streamingConnectionIdleTimeout", "syncFrequency", "systemCgroups", "systemReserved",
    "systemReservedCgroup", "tlsCertFile", "tlsCipherSuites", "tlsCurvePreferences", "tlsMinVersion", "tlsPrivateKeyFile",
    "topologyManagerPolicy", "topologyManagerPolicyOptions", "topologyManagerScope", "tracing", "userNamespaces", "port",
    "volumePluginDir", "volumeStatsAggPeriod",
  ]

  init(reader r: inout FieldReader) {
    r.ignoreTypeMeta()
    self.init(
      staticPodPath: r.setting("staticPodPath"), fileCheckFrequency: r.durationSetting("fileCheckFrequency"),
      podLogsDir: r.setting("podLogsDir"), containerRuntimeEndpoint: r.setting("containerRuntimeEndpoint"),
      imageServiceEndpoint: r.setting("imageServiceEndpoint"), healthzBindAddress: r.optionalAddress("healthzBindAddress"),
      healthzPort: r.integer("healthzPort", in: 0...UInt16.max), cgroupDriver: r.choice("cgroupDriver", CgroupDriverName.self),
      cgroupRoot: r.setting("cgroupRoot"), cgroupsPerQOS: r.bool("cgroupsPerQOS"),
      runtimeRequestTimeout: r.durationSetting("runtimeRequestTimeout"), podPidsLimit: r.int64("podPidsLimit", in: -1...Int64.max),
      cpuCFSQuota: r.bool("cpuCFSQuota"),
      cpuCFSQuotaPeriod: r.durationSetting("cpuCFSQuotaPeriod", in: .milliseconds(1)...(.seconds(1)), words: "1ms and 1s"),
      crashLoopBackOff: r.object("crashLoopBackOff") { r in
        CrashLoopBackOffConfig(
          maxContainerRestartPeriod: r.durationSetting("maxContainerRestartPeriod", in: .seconds(1)...(.seconds(300)), words: "1s and 300s")
        )
      } ?? CrashLoopBackOffConfig(), clusterDNS: r.ipAddresses("clusterDNS"), clusterDomain: r.setting("clusterDomain"),
      logging: r.object("logging", LoggingConfiguration.init(reader:)) ?? LoggingConfiguration())
    if let path = podLogsDir, !path.hasPrefix("/") { r.report(["podLogsDir"], "must be an absolute path") }
    r.unsupportedSettings(KubeletConfiguration.unsupported)
  }
}

extension LoggingConfiguration {
  init(reader r: inout FieldReader) {
    self.init(format: r.choice("format", Format.self), verbosity: r.integer("verbosity", in: 0...UInt32.max))
    r.unsupportedSettings(["flushFrequency", "vmodule", "options"])
  }
}

extension FieldReader {
  /// A text where the empty one means "not given".
  mutating func setting(_ key: String) -> String? { string(key).flatMap { $0.isEmpty ? nil : $0 } }

  /// A duration where zero means "not given".
  mutating func durationSetting(_ key: String) -> Duration? { nonNegativeDuration(key).flatMap { $0 == .zero ? nil : $0 } }

  /// The same within bounds, which `words` names for the message.
  mutating func durationSetting(_ key: String, in range: ClosedRange<Duration>, words: String) -> Duration? {
    guard let value = durationSetting(key) else { return nil }
    if !range.contains(value) { report([.key(key)], "must be between \(words)") }
    return value
  }

  /// Settings known upstream and without effect here. Tools write many of them with their zero value, which asks for nothing.
  mutating func unsupportedSettings(_ keys: [String]) {
    for key in keys {
      guard let pair = take(key), !pair.value.isZeroSetting else { continue }
      warn([.key(key)], "not supported yet, has no effect")
    }
  }
}

extension YAMLNode {
  fileprivate var isZeroSetting: Bool {
    switch content {
    case .scalar(let scalar): scalar.text.isEmpty || scalar.text == "0s" || scalar.text == "0"
    case .sequence(let items): items.isEmpty
    case .mapping(let pairs): pairs.allSatisfy { $0.value.isNull || $0.value.isZeroSetting }
    }
  }
}
