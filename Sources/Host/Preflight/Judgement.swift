import KubeModel

/// Turns facts into findings. No I/O: what is a problem and what helps against it is decided here.
package enum Judgement {
  package static func privileges(effectiveUser: UInt32, capabilities: UInt64) -> [Finding] {
    guard effectiveUser == 0 else {
      return [.error("privileges", "not root", fix: "run swiftlet as root")]
    }
    let needed: [(bit: UInt64, name: String)] = [(12, "CAP_NET_ADMIN"), (21, "CAP_SYS_ADMIN")]
    let missing = needed.filter { capabilities & (1 << $0.bit) == 0 }.map(\.name)
    var findings: [Finding] =
      missing.isEmpty
      ? [.ok("privileges", "root with CAP_NET_ADMIN and CAP_SYS_ADMIN")]
      : [
        .error(
          "privileges", "\(missing.joined(separator: ", ")) withheld", fix: "start the container or sandbox with these capabilities")
      ]
    if capabilities & (1 << 24) == 0 {
      findings.append(
        .warning(
          "oom score", "CAP_SYS_RESOURCE withheld: oom_score_adj cannot be lowered",
          fix: "containerd: set restrict_oom_score_adj = true under [plugins.\"io.containerd.grpc.v1.cri\"]"))
    }
    return findings
  }

  /// - Parameter value: the text of the sysctl, or `nil` when the kernel has none of that name.
  package static func forwarding(_ name: String, value: String?, isNeeded: Bool) -> Finding {
    switch value {
    case "1": return .ok(name, "1")
    case nil: return .warning(name, "the kernel has no such setting", fix: "ignore it if this node needs no such traffic")
    case let value?:
      let detail = "\(value): packets between pods and other hosts are not forwarded"
      let fix = "sysctl -w \(name)=1, and keep it in /etc/sysctl.d"
      return isNeeded ? .error(name, detail, fix: fix) : .warning(name, detail, fix: fix)
    }
  }

  /// Answers between pods on one bridge skip the connection tracking that has to translate them back.
  package static func bridgeNetfilter(value: String?, usesBridge: Bool) -> Finding {
    let name = "net.bridge.bridge-nf-call-iptables"
    if value == "1" { return .ok(name, "1") }
    guard usesBridge else { return .ok(name, "not needed: no CNI network here uses the bridge plugin") }
    return .error(
      name, value.map { "\($0), but the CNI network uses a bridge" } ?? "no br_netfilter, but the CNI network uses a bridge",
      fix: "modprobe br_netfilter && sysctl -w \(name)=1, or use the ptp CNI plugin")
  }

  package static func swap(procSwaps: String) -> Finding {
    let devices = procSwaps.split(separator: "\n").dropFirst().count
    guard devices > 0 else { return .ok("swap", "off") }
    return .warning(
      "swap", "\(devices) in use: memory limits are less exact", fix: "swapoff -a, or accept it: containers get no swap of their own")
  }

  package static func runtimeConditions(name: String, version: String, conditions: [(type: String, isMet: Bool, message: String)])
    -> [Finding]
  {
    var findings: [Finding] = [.ok("runtime", "\(name) \(version)")]
    for condition in conditions where !condition.isMet {
      findings.append(
        .error(
          "runtime \(condition.type)", condition.message.isEmpty ? "not ready" : condition.message,
          fix: condition.type == "NetworkReady"
            ? "install a CNI configuration in the runtime's conf_dir (/etc/cni/net.d) and its plugins in bin_dir"
            : "read the runtime's log"))
    }
    return findings
  }

  package static func runtimeDriver(isSystemd: Bool?) -> Finding {
    switch isSystemd {
    case nil:
      return .ok("runtime cgroup driver", "the runtime is too old to tell; it must be set to cgroupfs (containerd: SystemdCgroup = false)")
    case false?: return .ok("runtime cgroup driver", "cgroupfs")
    case true?:
      return .error(
        "runtime cgroup driver", "systemd, but swiftlet drives cgroups itself",
        fix: "containerd: SystemdCgroup = false; CRI-O: cgroup_manager = \"cgroupfs\" with conmon_cgroup = \"pod\"")
    }
  }

  package static func port(_ number: UInt16, _ use: String, problem: String?) -> Finding {
    guard let problem else { return .ok("port \(number)", "free for the \(use)") }
    return .error("port \(number)", "\(use): \(problem)", fix: "stop who listens there, or choose another port")
  }

  package static func manifests(_ path: String?, objects: Int, problems: [ManifestProblem], failure: String?) -> [Finding] {
    guard let path else {
      return [.warning("manifests", "no directory given", fix: "--pod-manifest-path DIR, or staticPodPath in a KubeletConfiguration")]
    }
    if let failure { return [.error("manifests", failure, fix: "make the directory, or give another with --pod-manifest-path")] }
    var findings: [Finding] = [.ok("manifests", "\(objects) objects in \(path)")]
    for problem in problems {
      findings.append(
        Finding(
          level: problem.severity == .error ? .error : .warning, subject: "manifest", detail: "\(problem)",
          fix: problem.severity == .error ? "correct the file; its other objects are taken" : "remove the field, or live without it"))
    }
    return findings
  }
}
