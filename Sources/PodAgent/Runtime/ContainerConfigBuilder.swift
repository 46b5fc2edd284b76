import CRI
import KubeModel
import SwiftProtobuf

/// The CRI configuration of one container.
package struct ContainerConfigBuilder {
  var pod: ManagedPod
  var container: Container
  var attempt: UInt32
  var node: NodeFacts
  /// Says whether CPU limits become quotas, and of what period.
  var tree: CgroupTree
  var environment: [(name: String, value: String)]
  var mounts: [CRIMount]
  /// As the image service names it.
  var imageRef: String
  /// What the image runs as, for runAsNonRoot; `nil` when it names a user rather than a number.
  var imageUID: Int64?
  var imageUserName: String

  package init(
    pod: ManagedPod, container: Container, attempt: UInt32, node: NodeFacts, tree: CgroupTree,
    environment: [(name: String, value: String)], mounts: [CRIMount], imageRef: String, imageUID: Int64?, imageUserName: String
  ) {
    self.pod = pod
    self.container = container
    self.attempt = attempt
    self.node = node
    self.tree = tree
    self.environment = environment
    self.mounts = mounts
    self.imageRef = imageRef
    self.imageUID = imageUID
    self.imageUserName = imageUserName
  }

  package func config() throws(ConfigurationProblem) -> CRIContainerConfig {
    try checkNonRoot()
    let variables = Dictionary(environment.map { ($0.name, $0.value) }) { _, last in last }
    return CRIContainerConfig.with { config in
      config.metadata = .with {
        $0.name = container.name
        $0.attempt = attempt
      }
      config.image = .with {
        $0.image = imageRef
        $0.userSpecifiedImage = container.image
      }
      config.command = container.command.map { VariableExpansion.expand($0, variables) }
      config.args = container.args.map { VariableExpansion.expand($0, variables) }
      config.workingDir = container.workingDir ?? ""
      config.envs = environment.map { variable in
        .with {
          $0.key = variable.name
          $0.value = variable.value
        }
      }
      config.mounts = mounts
      config.labels = [
        PodLabels.containerName: container.name, PodLabels.podName: pod.name, PodLabels.podNamespace: pod.namespace,
        PodLabels.podUID: pod.uid,
      ]
      config.annotations = annotations
      config.logPath = "\(container.name)/\(attempt).log"
      config.stdin = container.stdin
      config.stdinOnce = container.stdinOnce
      config.tty = container.tty
      config.linux = .with {
        $0.resources = resources
        $0.securityContext = securityContext
      }
    }
  }

  private var annotations: [String: String] {
    [
      PodAnnotations.restartCount: String(attempt),
      PodAnnotations.containerHash: String(pod.uid.prefix(8)),
      PodAnnotations.gracePeriod: String(pod.pod.spec.terminationGracePeriodSeconds),
      PodAnnotations.terminationMessagePath: container.terminationMessagePath,
      PodAnnotations.terminationMessagePolicy: container.terminationMessagePolicy.rawValue,
    ]
  }

  /// The runtime would find out too late or not at all: the user is in the image.
  private func checkNonRoot() throws(ConfigurationProblem) {
    let mustNotBeRoot = container.securityContext.runAsNonRoot ?? pod.pod.spec.securityContext.runAsNonRoot ?? false
    guard mustNotBeRoot else { return }
    if let user = container.securityContext.runAsUser ?? pod.pod.spec.securityContext.runAsUser {
      if user == 0 { throw ConfigurationProblem("container has runAsNonRoot and runAsUser 0") }
      return
    }
    if let imageUID, imageUID != 0 { return }
    if imageUserName.isEmpty {
      throw ConfigurationProblem("container has runAsNonRoot and image will run as root: set securityContext.runAsUser")
    }
    throw ConfigurationProblem(
      "container has runAsNonRoot and image has non-numeric user (\(imageUserName)): set securityContext.runAsUser")
  }

  private var resources: CRILinuxContainerResources {
    let limits = container.resources.limits
    let requests = container.resources.requests
    return .with { resources in
      let cpu = requests["cpu"] ?? limits["cpu"] ?? .zero
      resources.cpuShares = Int64(ResourceLimits.shares(milliCPU: cpu.milliValue()))
      if tree.enforcesCPUQuota, let limit = limits["cpu"], !limit.isZero {
        resources.cpuPeriod = Int64(clamping: tree.quotaPeriod)
        resources.cpuQuota = Int64(clamping: ResourceLimits.quota(milliCPU: limit.milliValue(), period: tree.quotaPeriod))
      }
      if let limit = limits["memory"], !limit.isZero {
        resources.memoryLimitInBytes = limit.value()
        // No swap unless asked for, as upstream: memory and memory + swap at the same limit.
        resources.memorySwapLimitInBytes = limit.value()
      }
      let request = (requests["memory"] ?? limits["memory"] ?? .zero).value()
      resources.oomScoreAdj = max(
        ResourceLimits.oomScoreAdjustment(QOSClass(pod.pod.spec), memoryRequest: request, capacity: node.memoryBytes),
        node.lowestOOMScoreAdjustment)
    }
  }

  private var securityContext: CRILinuxContainerSecurityContext {
    let own = container.securityContext
    let podWide = pod.pod.spec.securityContext
    return .with { context in
      context.privileged = own.privileged
      context.readonlyRootfs = own.readOnlyRootFilesystem
      context.noNewPrivs = own.allowPrivilegeEscalation == false
      context.capabilities = .with {
        $0.addCapabilities = own.capabilities.add
        $0.dropCapabilities = own.capabilities.drop
      }
      context.namespaceOptions = NamespaceOptions.of(pod.pod.spec)
      if let user = own.runAsUser ?? podWide.runAsUser {
        context.runAsUser = .with { $0.value = user }
      } else if let imageUID {
        context.runAsUser = .with { $0.value = imageUID }
      } else if !imageUserName.isEmpty {
        context.runAsUsername = imageUserName
      } else {
        // An image that names nobody runs as root; said in so many words, because a group alone is refused by runtimes.
        context.runAsUser = .with { $0.value = 0 }
      }
      if let group = own.runAsGroup ?? podWide.runAsGroup { context.runAsGroup = .with { $0.value = group } }
      context.supplementalGroups = Groups.of(podWide)
      context.supplementalGroupsPolicy = podWide.supplementalGroupsPolicy == .strict ? .strict : .merge
      // kubelet without SeccompDefault runs containers unconfined unless they ask.
      context.seccomp = SecurityProfiles.seccomp(own.seccompProfile ?? podWide.seccompProfile ?? .unconfined)
      if !own.privileged {
        context.maskedPaths = ContainerConfigBuilder.maskedPaths
        context.readonlyPaths = ContainerConfigBuilder.readonlyPaths
      }
    }
  }

  /// What every runtime hides from containers by default (OCI runtime practice; procMount Default).
  private static let maskedPaths = [
    "/proc/asound", "/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
    "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap",
  ]
  private static let readonlyPaths = [
    "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
  ]
}
