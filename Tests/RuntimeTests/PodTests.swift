import Glibc
import ProxyTesting
import Testing

extension RuntimeTests {
  /// What becomes of a pod's spec in the runtime and the kernel.
  @Suite struct Pods {
    static let limits = """
      resources:
        requests: {cpu: 100m, memory: 16Mi}
        limits: {cpu: 500m, memory: 32Mi}
      """

    /// While containerd is held still no sandbox can come into being.
    @Test func thePodCgroupStandsWithItsLimitsBeforeTheSandbox() async throws {
      try await Node.with { node in
        // With a pod that runs the agent has adopted what there is.
        try node.put("first.yaml", Manifests.pod("first", script: Manifests.forever))
        try await node.running("first")
        let containerd = try node.machine.containerdPID()
        let before = try await node.machine.containers()
        kill(containerd, SIGSTOP)
        defer { kill(containerd, SIGCONT) }
        try node.put("second.yaml", Manifests.pod("second", script: Manifests.forever, container: Self.limits))
        let name = try await eventually("a pod cgroup") { Cgroups.children("\(node.kubepods)/burstable").first }
        try await eventually("its memory limit") { Cgroups.memoryLimit("\(node.kubepods)/burstable/\(name)") == "\(32 << 20)" }
        #expect(Cgroups.processes("\(node.kubepods)/burstable/\(name)").isEmpty)
        kill(containerd, SIGCONT)
        let pod = try await node.running("second")
        #expect(name == "pod\(pod.uid)")
        #expect(try await node.machine.containers().subtracting(before).count == 2, "one sandbox, one container")
      }
    }

    @Test func containersRunInThePodCgroupAndTheKernelHasTheLimits() async throws {
      let machine = try await Machine.shared.value
      let configuration = "\(machine.directory)/kubelet.yaml"
      try TestFiles.write(
        configuration, "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\npodPidsLimit: 123\n")
      try await Node.with(["--config", configuration]) { node in
        try node.put("a.yaml", Manifests.pod("burstable", script: Manifests.forever, container: Self.limits))
        try node.put("b.yaml", Manifests.pod("besteffort", script: Manifests.forever))
        let equal = "resources: {limits: {cpu: 200m, memory: 24Mi}}"
        try node.put("c.yaml", Manifests.pod("guaranteed", script: Manifests.forever, container: equal))
        let places = [("burstable", "burstable/"), ("besteffort", "besteffort/"), ("guaranteed", "")]
        var paths: [String: String] = [:]
        for (name, parent) in places {
          let pod = try await node.running(name)
          let path = "\(node.kubepods)/\(parent)pod\(pod.uid)"
          paths[name] = path
          try await expectProcesses(of: pod, below: path, node)
          #expect(Cgroups.pidsLimit(path) == "123")
        }
        let burstable = try #require(paths["burstable"])
        #expect(Cgroups.cpuShares(burstable) == Cgroups.written(shares: 102))
        #expect(Cgroups.cpuQuota(burstable) == "50000 100000")
        #expect(Cgroups.memoryLimit(burstable) == "\(32 << 20)")
        let guaranteed = try #require(paths["guaranteed"])
        #expect(Cgroups.cpuShares(guaranteed) == Cgroups.written(shares: 204))
        #expect(Cgroups.cpuQuota(guaranteed) == "20000 100000")
        #expect(Cgroups.memoryLimit(guaranteed) == "\(24 << 20)")
        #expect(Cgroups.cpuShares(try #require(paths["besteffort"])) == Cgroups.written(shares: 2))
      }
    }

    /// The container's process and the pause process are in cgroups below the pod's, and the container has its own limit.
    private func expectProcesses(of pod: PodView, below path: String, _ node: Node) async throws {
      let children = Cgroups.children(path)
      #expect(children.count == 2, "sandbox and container")
      let id = pod.first.id
      let process = try #require(try await node.machine.tasks()[id])
      #expect(Cgroups.processes("\(path)/\(id)").contains(process))
      let seen = try #require(TestFiles.read("/proc/\(process)/cgroup"))
      #expect(seen.contains("/\(path)/\(id)\n"))
      if pod.name == "burstable" { #expect(Cgroups.memoryLimit("\(path)/\(id)") == "\(32 << 20)") }
    }

    @Test func outputOfAContainerIsInItsLogFile() async throws {
      try await Node.with { node in
        try node.put("a.yaml", Manifests.pod("talker", script: "echo to out; echo to err >&2; \(Manifests.forever)"))
        let pod = try await node.running("talker")
        let path = "\(node.logDirectory)/default_talker_\(pod.uid)/main/0.log"
        let lines = try await eventually("both lines in \(path)") {
          let lines = TestFiles.read(path)?.split(separator: "\n") ?? []
          return lines.count == 2 ? lines : nil
        }
        #expect(lines.contains { $0.hasSuffix(" stdout F to out") })
        #expect(lines.contains { $0.hasSuffix(" stderr F to err") })
      }
    }

    @Test func initContainersRunOneAfterTheOtherAndBeforeTheRest() async throws {
      try await Node.with { node in
        let share = Manifests.share(node)
        let inits = """
          \(share.spec)
          initContainers:
            - {name: one, image: "localhost/swiftlet/busybox:1", command: [sh, -c, "sleep 0.3; echo one >> /share/order"], \(share.container.inline)}
            - {name: two, image: "localhost/swiftlet/busybox:1", command: [sh, -c, "echo two >> /share/order"], \(share.container.inline)}
          """
        try node.put(
          "a.yaml",
          Manifests.pod(
            "ordered", script: "echo main >> /share/order\nmv /share/order /share/done\n\(Manifests.forever)", spec: inits,
            container: share.container))
        #expect(try await node.shared("done") == "one\ntwo\nmain\n")
        let pod = try await node.running("ordered")
        #expect(pod.tree["status"]["initContainerStatuses"].items.allSatisfy { $0["state"]["terminated"]["exitCode"].text == "0" })
      }
    }

    @Test func withoutRestartsAPodEndsAsItsContainersDid() async throws {
      try await Node.with { node in
        try node.put("a.yaml", Manifests.pod("good", script: "exit 0", spec: "restartPolicy: Never"))
        try node.put("b.yaml", Manifests.pod("bad", script: "exit 3", spec: "restartPolicy: Never"))
        let good = try await node.pod("good", "Succeeded") { $0.phase == "Succeeded" }
        #expect(good.first.exitCode == 0)
        let bad = try await node.pod("bad", "Failed") { $0.phase == "Failed" }
        #expect(bad.first.exitCode == 3)
        #expect(bad.first.restarts == 0)
      }
    }

    @Test func onFailureRestartsUntilItSucceeds() async throws {
      try await Node.with { node in
        let share = Manifests.share(node)
        try node.put(
          "a.yaml",
          Manifests.pod(
            "third", script: "echo x >> /share/runs; [ $(wc -l < /share/runs) -ge 3 ]",
            spec: "restartPolicy: OnFailure\n\(share.spec)", container: share.container))
        let pod = try await node.pod("third", "Succeeded") { $0.phase == "Succeeded" }
        #expect(pod.first.restarts == 2)
        #expect(TestFiles.read("\(node.share)/runs") == "x\nx\nx\n")
      }
    }

    @Test func aContainerThatKeepsExitingIsRestartedWithGrowingPauses() async throws {
      try await Node.with { node in
        try node.put("a.yaml", Manifests.pod("looper", script: "exit 7"))
        let waiting = try await node.pod("looper", "in back-off after two restarts") {
          $0.first.restarts >= 2 && $0.first.waitingReason == "CrashLoopBackOff"
        }
        #expect(waiting.phase == "Running", "as upstream: a pod whose container will be restarted runs")
        #expect(waiting.first.tree["lastState"]["terminated"]["exitCode"].text == "7")
        #expect(!waiting.isReady)
        try await node.event("BackOff", of: "looper", containing: "main")
        try await node.pod("looper", "restarted four times") { $0.first.restarts >= 4 }
        // One dead container is kept for its exit code and log, as upstream.
        #expect(try await node.machine.containers().count <= 4)
      }
    }

    @Test func aChangedManifestReplacesThePod() async throws {
      try await Node.with { node in
        let share = Manifests.share(node)
        func manifest(_ word: String) -> String {
          Manifests.pod(
            "same", script: "echo \(word) > /share/word\n\(Manifests.forever)", spec: share.spec, container: share.container)
        }
        try node.put("a.yaml", manifest("old"))
        let old = try await node.running("same")
        let oldContainers = try await node.machine.containers()
        try node.put("a.yaml", manifest("new"))
        let new = try await node.pod("same", "replaced") { $0.isReady && $0.uid != old.uid }
        #expect(new.first.id != old.first.id)
        try await eventually("the new word") { TestFiles.read("\(node.share)/word") == "new\n" }
        let containers = try await node.machine.containers()
        #expect(containers.count == 2 && containers.isDisjoint(with: oldContainers), "the old ones are gone")
        #expect(!Cgroups.exists("\(node.kubepods)/besteffort/pod\(old.uid)"))
        #expect(TestFiles.list(node.logDirectory) == ["default_same_\(new.uid)"])
      }
    }

    @Test func aDeletedPodLeavesNothing() async throws {
      try await Node.with { node in
        let volumes = """
          volumes:
            - {name: memory, emptyDir: {medium: Memory}}
            - {name: disk, emptyDir: {}}
          """
        let mounts = "volumeMounts: [{name: memory, mountPath: /memory}, {name: disk, mountPath: /disk}]"
        try node.put(
          "a.yaml",
          Manifests.pod("brief", script: "echo x > /memory/x; echo x > /disk/x; \(Manifests.forever)", spec: volumes, container: mounts))
        let pod = try await node.running("brief")
        #expect(TestFiles.exists("\(node.rootDirectory)/pods/\(pod.uid)"))
        try node.remove("a.yaml")
        try await node.gone("brief")
        // The table and the fixed cgroups belong to the daemon.
        let left = try await node.leftovers().filter { !$0.hasPrefix("rules ") && !$0.hasPrefix("cgroup ") }
        #expect(left == [])
        #expect(Cgroups.children("\(node.kubepods)/besteffort") == [])
        #expect(try await Tool.must(["ip", "-4", "route", "show", pod.address], in: node.machine.node) == "", "its interface")
      }
    }

    @Test func aContainerGetsSigtermAndItsGracePeriod() async throws {
      try await Node.with { node in
        let share = Manifests.share(node)
        try node.put(
          "a.yaml",
          Manifests.pod(
            "polite", script: "trap 'sleep 1; echo bye > /share/bye; exit 0' TERM; touch /share/ready; sleep 100000 & wait",
            spec: share.spec, container: share.container, grace: 60))
        try node.put("b.yaml", Manifests.pod("deaf", script: "trap '' TERM; while :; do sleep 1; done", grace: 2))
        try await node.running("polite")
        try await node.running("deaf")
        _ = try await node.shared("ready")
        let start = ContinuousClock.now
        try node.remove("a.yaml")
        try await node.gone("polite")
        #expect(TestFiles.read("\(node.share)/bye") == "bye\n", "it was let to end by itself")
        #expect(ContinuousClock.now - start < .seconds(45), "and not waited for any longer")
        let second = ContinuousClock.now
        try node.remove("b.yaml")
        try await node.gone("deaf")
        #expect(ContinuousClock.now - second >= .seconds(2), "killed before its grace period was over")
      }
    }

    @Test func hostNetworkIsTheNodesNetwork() async throws {
      try await Node.with { node in
        try node.put("a.yaml", Manifests.pod("onhost", script: Manifests.forever, spec: "hostNetwork: true"))
        let pod = try await node.running("onhost")
        let process = try #require(try await node.machine.tasks()[pod.first.id])
        let here = try node.machine.node.run { TestFiles.linkTarget("/proc/thread-self/ns/net") }
        #expect(TestFiles.linkTarget("/proc/\(process)/ns/net") == here)
        #expect(pod.address == Machine.nodeAddress)
      }
    }

    @Test func theSecurityContextIsWhatTheContainerSees() async throws {
      try await Node.with { node in
        let share = Manifests.share(node)
        let script = """
          echo "user $(id -u) group $(id -g) groups $(id -G)" > /tmp/s 2>/dev/null || echo "read-only user $(id -u) group $(id -g)" > /share/seen.new
          mv /share/seen.new /share/seen
          \(Manifests.forever)
          """
        let context = "securityContext: {runAsUser: 1234, runAsGroup: 2345, runAsNonRoot: true, readOnlyRootFilesystem: true}"
        try node.put(
          "a.yaml", Manifests.pod("careful", script: script, spec: share.spec, container: "\(context)\n\(share.container)"))
        try node.put(
          "b.yaml", Manifests.pod("refused", script: Manifests.forever, spec: "securityContext: {runAsNonRoot: true}"))
        #expect(try await node.shared("seen") == "read-only user 1234 group 2345\n")
        let refused = try await node.pod("refused", "refused") { $0.first.waitingReason == "CreateContainerConfigError" }
        #expect(refused.first.message.contains("runAsNonRoot"))
        #expect(refused.first.id.isEmpty, "it was never created")
      }
    }

    @Test func aMissingImageIsToldInTheRuntimesWords() async throws {
      try await Node.with { node in
        func manifest(_ name: String, _ policy: String) -> String {
          """
          apiVersion: v1
          kind: Pod
          metadata: {name: \(name)}
          spec:
            containers: [{name: main, image: "127.0.0.1:1/nobody/nothing:1", imagePullPolicy: \(policy)}]
          """
        }
        try node.put("a.yaml", manifest("never", "Never"))
        try node.put("b.yaml", manifest("absent", "IfNotPresent"))
        let never = try await node.pod("never", "refused") { $0.first.waitingReason == "ErrImageNeverPull" }
        #expect(never.first.message.contains("127.0.0.1:1/nobody/nothing:1"))
        #expect(never.phase == "Pending")
        let absent = try await node.pod("absent", "pull refused") { ["ErrImagePull", "ImagePullBackOff"].contains($0.first.waitingReason) }
        #expect(absent.first.message.contains("connection refused"), "the runtime's own words: \(absent.first.message)")
        try await node.event("Failed", of: "absent", containing: "connection refused")
      }
    }
  }
}

extension String {
  /// `key: [value]` lines inside of braces.
  fileprivate var inline: String { split(separator: "\n").joined(separator: ", ") }
}
