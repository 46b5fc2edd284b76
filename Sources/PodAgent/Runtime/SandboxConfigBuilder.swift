import CRI
import KubeModel
import SwiftProtobuf

/// The CRI configuration of a pod's sandbox.
package struct SandboxConfigBuilder {
  var pod: ManagedPod
  var attempt: UInt32
  var node: NodeFacts
  var cgroupParent: String
  /// What "Default" DNS means: the node's resolv.conf.
  var hostDNS: DNSSettings
  /// Without a cgroup driver the runtime places pods itself.
  var placesInCgroup: Bool

  package init(
    pod: ManagedPod, attempt: UInt32, node: NodeFacts, cgroupParent: String, hostDNS: DNSSettings, placesInCgroup: Bool
  ) {
    self.pod = pod
    self.attempt = attempt
    self.node = node
    self.cgroupParent = cgroupParent
    self.hostDNS = hostDNS
    self.placesInCgroup = placesInCgroup
  }

  package func config() -> CRIPodSandboxConfig {
    let spec = pod.pod.spec
    return CRIPodSandboxConfig.with { config in
      config.metadata = .with {
        $0.name = pod.name
        $0.namespace = pod.namespace
        $0.uid = pod.uid
        $0.attempt = attempt
      }
      if !spec.hostNetwork { config.hostname = hostname(spec) }
      config.logDirectory = node.podLogDirectory(pod)
      let dns = DNSSettings.of(spec, namespace: pod.namespace, node: node, host: hostDNS)
      config.dnsConfig = .with {
        $0.servers = dns.servers
        $0.searches = dns.searches
        $0.options = dns.options
      }
      if !spec.hostNetwork { config.portMappings = portMappings(spec) }
      config.labels = labels
      config.annotations = annotations
      config.linux = linux(spec)
    }
  }

  /// 63 characters at most, or the kernel and DNS refuse it; cut as upstream does, without a trailing dash or dot.
  private func hostname(_ spec: PodSpec) -> String {
    var name = spec.hostname ?? pod.name
    if name.utf8.count > 63 {
      name = String(name.prefix(63))
      while let last = name.last, last == "-" || last == "." { name.removeLast() }
    }
    return name
  }

  private func portMappings(_ spec: PodSpec) -> [CRIPortMapping] {
    spec.containers.flatMap(\.ports).compactMap { port in
      guard let hostPort = port.hostPort else { return nil }
      return .with {
        $0.protocol = criProtocol(port.protocol)
        $0.containerPort = Int32(port.containerPort)
        $0.hostPort = Int32(hostPort)
        $0.hostIp = port.hostIP.map { "\($0)" } ?? ""
      }
    }
  }

  private func criProtocol(_ value: IPProtocol) -> CRIProtocol {
    switch value {
    case .tcp: .tcp
    case .udp: .udp
    case .sctp: .sctp
    }
  }

  private var labels: [String: String] {
    var labels = pod.pod.metadata.labels
    labels[PodLabels.podName] = pod.name
    labels[PodLabels.podNamespace] = pod.namespace
    labels[PodLabels.podUID] = pod.uid
    labels[PodLabels.node] = node.nodeName
    return labels
  }

  private var annotations: [String: String] {
    var annotations = pod.pod.metadata.annotations
    annotations[PodAnnotations.configSource] = "file"
    annotations[PodAnnotations.configHash] = pod.uid
    annotations[PodAnnotations.gracePeriod] = String(pod.pod.spec.terminationGracePeriodSeconds)
    annotations[PodAnnotations.manifest] = pod.pod.source.file
    return annotations
  }

  private func linux(_ spec: PodSpec) -> CRILinuxPodSandboxConfig {
    .with { linux in
      if placesInCgroup { linux.cgroupParent = "/" + cgroupParent }
      linux.sysctls = Dictionary(spec.securityContext.sysctls.map { ($0.name, $0.value) }) { _, last in last }
      linux.securityContext = .with { context in
        context.namespaceOptions = NamespaceOptions.of(spec)
        context.seccomp = SecurityProfiles.seccomp(spec.securityContext.seccompProfile ?? .runtimeDefault)
        context.supplementalGroups = Groups.of(spec.securityContext)
        if let user = spec.securityContext.runAsUser { context.runAsUser = .with { $0.value = user } }
        if let group = spec.securityContext.runAsGroup, spec.securityContext.runAsUser != nil {
          context.runAsGroup = .with { $0.value = group }
        }
        context.privileged = (spec.containers + spec.initContainers).contains { $0.securityContext.privileged }
      }
    }
  }
}

/// Which namespaces a pod shares with the node.
enum NamespaceOptions {
  static func of(_ spec: PodSpec) -> CRINamespaceOption {
    .with {
      $0.network = spec.hostNetwork ? .node : .pod
      $0.ipc = spec.hostIPC ? .node : .pod
      $0.pid = spec.hostPID ? .node : spec.shareProcessNamespace ? .pod : .container
    }
  }
}

enum SecurityProfiles {
  static func seccomp(_ profile: SeccompProfile) -> CRISecurityProfile {
    .with { $0.profileType = profile == .unconfined ? .unconfined : .runtimeDefault }
  }
}

enum Groups {
  static func of(_ context: PodSecurityContext) -> [Int64] {
    (context.fsGroup.map { [$0] } ?? []) + context.supplementalGroups
  }
}
