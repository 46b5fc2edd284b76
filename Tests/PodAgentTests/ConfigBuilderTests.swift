import CRI
import KubeModel
import PodAgent
import SwiftProtobuf
import Testing

/// What of a pod becomes what of the sandbox.
@Suite struct SandboxConfigTests {
  private func config(
    _ spec: PodSpec = PodSpec(containers: [Container(name: "main", image: "web:1")]), attempt: UInt32 = 0, placed: Bool = true,
    name: String = "web"
  ) -> CRIPodSandboxConfig {
    SandboxConfigBuilder(
      pod: ManagedPod.make(name, spec), attempt: attempt, node: NodeFacts(nodeName: "node"), cgroupParent: "kubepods/podx",
      hostDNS: DNSSettings(servers: ["192.0.2.53"], searches: ["example.net"]), placesInCgroup: placed
    ).config()
  }

  @Test func metadataLabelsAndAnnotationsAreUpstreams() {
    let pod = ManagedPod.simple("web")
    let config = config(attempt: 3)
    #expect(config.metadata.name == "web")
    #expect(config.metadata.namespace == "default")
    #expect(config.metadata.uid == pod.uid)
    #expect(config.metadata.attempt == 3)
    #expect(
      config.labels == [
        "app": "web", "io.kubernetes.pod.name": "web", "io.kubernetes.pod.namespace": "default", "io.kubernetes.pod.uid": pod.uid,
        "swiftlet.io/node": "node",
      ])
    #expect(config.annotations["kubernetes.io/config.source"] == "file")
    #expect(config.annotations["swiftlet.io/manifest"] == "pods.yaml")
    #expect(config.annotations["io.kubernetes.pod.terminationGracePeriod"] == "30")
    #expect(config.logDirectory == "/var/log/pods/default_web_\(pod.uid)")
    #expect(config.hostname == "web")
    #expect(config.dnsConfig.servers == ["192.0.2.53"])
  }

  @Test func aPodCannotPoseAsAnother() throws {
    var pod = ManagedPod.simple("web")
    pod.pod.metadata.labels = [PodLabels.podUID: "forged", PodLabels.node: "elsewhere"]
    pod.pod.metadata.annotations = [PodAnnotations.manifest: "forged.yaml"]
    let config = SandboxConfigBuilder(
      pod: pod, attempt: 0, node: NodeFacts(nodeName: "node"), cgroupParent: "", hostDNS: DNSSettings(), placesInCgroup: true
    ).config()
    #expect(config.labels[PodLabels.podUID] == pod.uid)
    #expect(config.labels[PodLabels.node] == "node")
    #expect(config.annotations[PodAnnotations.manifest] == "pods.yaml")
  }

  @Test func theCgroupParentIsGivenOnlyWhereTheAgentPlaces() {
    #expect(config().linux.cgroupParent == "/kubepods/podx")
    #expect(config(placed: false).linux.cgroupParent.isEmpty)
  }

  @Test func namespacesFollowTheSpec() {
    var spec = PodSpec(containers: [Container(name: "main", image: "web:1")])
    var options = config(spec).linux.securityContext.namespaceOptions
    #expect(options.network == .pod && options.pid == .container && options.ipc == .pod)
    spec.shareProcessNamespace = true
    #expect(config(spec).linux.securityContext.namespaceOptions.pid == .pod)
    spec.hostNetwork = true
    spec.hostPID = true
    spec.hostIPC = true
    options = config(spec).linux.securityContext.namespaceOptions
    #expect(options.network == .node && options.pid == .node && options.ipc == .node)
    #expect(config(spec).hostname.isEmpty)
  }

  @Test func hostPortsAreMappedExceptOnTheHostsNetwork() throws {
    let ports = [
      ContainerPort(containerPort: 80, hostPort: 8080, hostIP: IPAddress("127.0.0.1")),
      ContainerPort(containerPort: 53, hostPort: 53, protocol: .udp), ContainerPort(containerPort: 9090),
    ]
    var spec = PodSpec(containers: [Container(name: "main", image: "web:1", ports: ports)])
    let mapped = config(spec).portMappings
    #expect(mapped.map(\.hostPort) == [8080, 53])
    #expect(mapped.map(\.containerPort) == [80, 53])
    #expect(mapped.map(\.hostIp) == ["127.0.0.1", ""])
    #expect(mapped.map(\.protocol) == [.tcp, .udp])
    spec.hostNetwork = true
    #expect(config(spec).portMappings.isEmpty)
  }

  @Test func aLongNameIsCutToWhatDNSAllows() {
    let name = String(repeating: "a", count: 62) + "-" + String(repeating: "b", count: 10)
    #expect(config(name: name).hostname == String(repeating: "a", count: 62))
    var spec = PodSpec(containers: [Container(name: "main", image: "web:1")])
    spec.hostname = "mine"
    #expect(config(spec).hostname == "mine")
  }

  @Test func securityContextOfThePodReachesTheSandbox() {
    var spec = PodSpec(containers: [Container(name: "main", image: "web:1", securityContext: SecurityContext(privileged: true))])
    spec.securityContext = PodSecurityContext(
      runAsUser: 1000, runAsGroup: 2000, fsGroup: 3000, supplementalGroups: [4000],
      sysctls: [Sysctl(name: "net.core.somaxconn", value: "10")])
    let linux = config(spec).linux
    #expect(linux.securityContext.runAsUser.value == 1000)
    #expect(linux.securityContext.runAsGroup.value == 2000)
    #expect(linux.securityContext.supplementalGroups == [3000, 4000])
    #expect(linux.securityContext.privileged)
    #expect(linux.sysctls == ["net.core.somaxconn": "10"])
    spec.securityContext.runAsUser = nil
    // A runtime refuses a group without a user.
    #expect(!config(spec).linux.securityContext.hasRunAsGroup)
  }
}

/// What of a container becomes what for the runtime.
@Suite struct ContainerConfigTests {
  private func config(
    _ container: Container, pod podContext: PodSecurityContext = PodSecurityContext(), attempt: UInt32 = 0, imageUID: Int64? = nil,
    imageUser: String = "", tree: CgroupTree = CgroupTree(), environment: [(name: String, value: String)] = [],
    lowestScore: Int64 = -1000
  ) throws -> CRIContainerConfig {
    let pod = ManagedPod.make("web", PodSpec(containers: [container], securityContext: podContext))
    return try ContainerConfigBuilder(
      pod: pod, container: container, attempt: attempt,
      node: NodeFacts(nodeName: "node", memoryBytes: 4 << 30, lowestOOMScoreAdjustment: lowestScore), tree: tree,
      environment: environment, mounts: [], imageRef: "sha256:1", imageUID: imageUID, imageUserName: imageUser
    ).config()
  }

  private func container(_ context: SecurityContext = SecurityContext()) -> Container {
    Container(name: "main", image: "web:1", securityContext: context)
  }

  @Test func namesLabelsAndLogPathAreUpstreams() throws {
    let config = try config(container(), attempt: 4)
    #expect(config.metadata.name == "main")
    #expect(config.metadata.attempt == 4)
    #expect(config.logPath == "main/4.log")
    #expect(config.image.image == "sha256:1")
    #expect(config.image.userSpecifiedImage == "web:1")
    #expect(
      config.labels == [
        "io.kubernetes.container.name": "main", "io.kubernetes.pod.name": "web", "io.kubernetes.pod.namespace": "default",
        "io.kubernetes.pod.uid": ManagedPod.simple("web").uid,
      ])
    #expect(config.annotations["io.kubernetes.container.restartCount"] == "4")
    #expect(config.annotations["io.kubernetes.container.terminationMessagePath"] == "/dev/termination-log")
    #expect(config.annotations["io.kubernetes.container.terminationMessagePolicy"] == "File")
  }

  @Test func commandAndArgumentsAreExpanded() throws {
    var container = container()
    container.command = ["$(SHELL)", "-c"]
    container.args = ["echo $(NONE) $$(SHELL)"]
    container.workingDir = "/srv"
    container.tty = true
    let config = try config(container, environment: [("SHELL", "/bin/sh")])
    #expect(config.command == ["/bin/sh", "-c"])
    #expect(config.args == ["echo $(NONE) $(SHELL)"])
    #expect(config.envs.map { "\($0.key)=\($0.value)" } == ["SHELL=/bin/sh"])
    #expect(config.workingDir == "/srv")
    #expect(config.tty && !config.stdin)
  }

  @Test func resourcesBecomeSharesQuotaAndLimits() throws {
    var container = container()
    container.resources = ResourceRequirements(
      limits: ["cpu": try quantity("500m"), "memory": try quantity("64Mi")],
      requests: ["cpu": try quantity("250m"), "memory": try quantity("64Mi")])
    let resources = try config(container).linux.resources
    #expect(resources.cpuShares == 256)
    #expect(resources.cpuPeriod == 100_000)
    #expect(resources.cpuQuota == 50_000)
    #expect(resources.memoryLimitInBytes == 64 << 20)
    #expect(resources.memorySwapLimitInBytes == 64 << 20)
    #expect(resources.oomScoreAdj == 1000 - 1000 * 64 / 4096)
    let unlimited = try config(container, tree: CgroupTree(enforcesCPUQuota: false)).linux.resources
    #expect(unlimited.cpuQuota == 0)
    #expect(try config(container, tree: CgroupTree(quotaPeriod: 10_000)).linux.resources.cpuQuota == 5000)
  }

  @Test func withoutResourcesOnlyTheLeastSharesAreSet() throws {
    let resources = try config(container()).linux.resources
    #expect(resources.cpuShares == 2)
    #expect(resources.cpuQuota == 0 && resources.memoryLimitInBytes == 0)
    #expect(resources.oomScoreAdj == 1000)
  }

  @Test func theOOMScoreGoesNoLowerThanTheMachineAllows() throws {
    var container = container()
    container.resources = ResourceRequirements(limits: ["cpu": try quantity("1"), "memory": try quantity("1Gi")])
    #expect(try config(container).linux.resources.oomScoreAdj == -997)
    #expect(try config(container, lowestScore: 0).linux.resources.oomScoreAdj == 0)
  }

  // MARK: Security

  @Test func theContainersOwnSettingsWinOverThePods() throws {
    let podWide = PodSecurityContext(runAsUser: 1, runAsGroup: 2, fsGroup: 3, supplementalGroups: [4], supplementalGroupsPolicy: .strict)
    var context = try config(container(), pod: podWide).linux.securityContext
    #expect(context.runAsUser.value == 1 && context.runAsGroup.value == 2)
    #expect(context.supplementalGroups == [3, 4])
    #expect(context.supplementalGroupsPolicy == .strict)
    context = try config(container(SecurityContext(runAsUser: 10, runAsGroup: 20)), pod: podWide).linux.securityContext
    #expect(context.runAsUser.value == 10 && context.runAsGroup.value == 20)
  }

  @Test func withoutAUserTheImagesIsTakenAndRootWhereItNamesNone() throws {
    #expect(try config(container(), imageUID: 101).linux.securityContext.runAsUser.value == 101)
    #expect(try config(container(), imageUser: "www").linux.securityContext.runAsUsername == "www")
    let nobody = try config(container(SecurityContext(runAsGroup: 5))).linux.securityContext
    #expect(nobody.hasRunAsUser && nobody.runAsUser.value == 0)
    #expect(nobody.runAsGroup.value == 5)
  }

  @Test func capabilitiesAndPrivilegesAreHandedOn() throws {
    var context = try config(
      container(
        SecurityContext(
          readOnlyRootFilesystem: true, allowPrivilegeEscalation: false, capabilities: Capabilities(add: ["NET_ADMIN"], drop: ["ALL"])))
    ).linux.securityContext
    #expect(context.capabilities.addCapabilities == ["NET_ADMIN"])
    #expect(context.capabilities.dropCapabilities == ["ALL"])
    #expect(context.noNewPrivs && context.readonlyRootfs && !context.privileged)
    #expect(context.maskedPaths.contains("/proc/kcore") && context.readonlyPaths.contains("/proc/sys"))
    context = try config(container(SecurityContext(privileged: true))).linux.securityContext
    #expect(context.privileged && !context.noNewPrivs && context.maskedPaths.isEmpty && context.readonlyPaths.isEmpty)
  }

  @Test func seccompIsTheContainersThenThePodsThenNone() throws {
    let podWide = PodSecurityContext(seccompProfile: .runtimeDefault)
    #expect(try config(container()).linux.securityContext.seccomp.profileType == .unconfined)
    #expect(try config(container(), pod: podWide).linux.securityContext.seccomp.profileType == .runtimeDefault)
    let own = SecurityContext(seccompProfile: .unconfined)
    #expect(try config(container(own), pod: podWide).linux.securityContext.seccomp.profileType == .unconfined)
  }

  @Test(
    arguments: [
      (SecurityContext(runAsUser: 0, runAsNonRoot: true), nil, "", "runAsUser 0"),
      (SecurityContext(runAsNonRoot: true), nil, "", "as root"),
      (SecurityContext(runAsNonRoot: true), 0, "", "as root"), (SecurityContext(runAsNonRoot: true), nil, "www", "non-numeric user (www)"),
    ] as [(SecurityContext, Int64?, String, String)])
  func rootIsRefusedWhereItIsForbidden(_ context: SecurityContext, _ uid: Int64?, _ user: String, _ words: String) {
    #expect {
      _ = try config(container(context), imageUID: uid, imageUser: user)
    } throws: { "\($0)".contains(words) }
  }

  @Test func anybodyElseIsNot() throws {
    let nonRoot = SecurityContext(runAsNonRoot: true)
    _ = try config(container(nonRoot), imageUID: 101)
    _ = try config(container(nonRoot), pod: PodSecurityContext(runAsUser: 7))
    // The container takes back what the pod demands.
    _ = try config(container(SecurityContext(runAsNonRoot: false)), pod: PodSecurityContext(runAsNonRoot: true))
    #expect(throws: ConfigurationProblem.self) { try config(container(), pod: PodSecurityContext(runAsNonRoot: true)) }
  }
}
