import CRI
import Glibc
import KubeModel
import PluginHost
import PodAgent

/// Gathers the facts `swiftlet check` judges. Changes nothing.
struct Preflight {
  let settings: Settings

  /// - Parameter progress: told what is looked at before it is.
  func run(progress: (String) -> Void) async -> [Finding] {
    var findings = Judgement.privileges(effectiveUser: geteuid(), capabilities: effectiveCapabilities)
    if settings.runsPods {
      progress("container runtime")
      findings += await runtime()
    }
    progress("backends")
    findings += await backends()
    progress("kernel settings")
    findings += kernel()
    findings += ports()
    progress("manifests")
    findings += manifests()
    return findings
  }

  private var effectiveCapabilities: UInt64 {
    let status = (try? Files.text("/proc/self/status")) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("CapEff:") }
    return line.flatMap { UInt64($0.dropFirst(7).filter { !$0.isWhitespace }, radix: 16) } ?? 0
  }

  private func runtime() async -> [Finding] {
    do {
      let client = try CRIClient(
        runtimeEndpoint: settings.runtimeEndpoint, imageEndpoint: settings.imageEndpoint, logger: CommandLog.logger)
      defer { client.close() }
      let version = try await client.version()
      let status = try await client.status().status
      var findings = Judgement.runtimeConditions(
        name: version.runtimeName, version: version.runtimeVersion,
        conditions: status.conditions.map { ($0.type, $0.status, $0.message) })
      findings.append(Judgement.runtimeDriver(isSystemd: try? await client.runtimeConfig().linux.cgroupDriver == .systemd))
      return findings
    } catch {
      return [
        .error(
          "runtime", "\(error)", fix: "start containerd or CRI-O, or name its socket with --container-runtime-endpoint unix:///path")
      ]
    }
  }

  private func backends() async -> [Finding] {
    let loading = BackendLoading.command(settings)
    var findings: [Finding] = []
    do {
      findings.append(try await finding(of: loading.proxy(nodeAddresses: NodeInspection.addresses()), "proxy backend"))
    } catch {
      findings.append(.error("proxy backend", error.reason, fix: error.remedy))
    }
    guard settings.runsPods else { return findings }
    do {
      findings.append(try await finding(of: loading.cgroup(), "cgroup backend"))
    } catch {
      findings.append(.error("cgroup backend", error.reason, fix: error.remedy))
    }
    return findings
  }

  private func finding(of selection: PluginSelection, _ subject: String) async -> Finding {
    let text = "\(selection)"
    await selection.chosen?.close()
    return .ok(subject, text)
  }

  private func kernel() -> [Finding] {
    [
      Judgement.forwarding("net.ipv4.ip_forward", value: sysctl("net/ipv4/ip_forward"), isNeeded: true),
      Judgement.forwarding("net.ipv6.conf.all.forwarding", value: sysctl("net/ipv6/conf/all/forwarding"), isNeeded: false),
      Judgement.bridgeNetfilter(value: sysctl("net/bridge/bridge-nf-call-iptables"), usesBridge: usesBridge),
      Judgement.swap(procSwaps: (try? Files.text("/proc/swaps")) ?? ""),
    ]
  }

  private func sysctl(_ path: String) -> String? {
    (try? Files.text("/proc/sys/\(path)")).map { $0.filter { !$0.isWhitespace } }
  }

  /// Only the usual place can be looked at; the runtime may have another.
  private var usesBridge: Bool {
    let directory = "/etc/cni/net.d"
    return ((try? Files.list(directory)) ?? []).contains { name in
      ((try? Files.text("\(directory)/\(name)")) ?? "").filter { !$0.isWhitespace }.contains("\"type\":\"bridge\"")
    }
  }

  private func ports() -> [Finding] {
    guard settings.healthzPort != 0 else { return [] }
    return [
      Judgement.port(
        settings.healthzPort, "health endpoint", problem: PortProbe.problem(host: settings.healthzAddress, port: settings.healthzPort))
    ]
  }

  private func manifests() -> [Finding] {
    guard let path = settings.podManifestPath else {
      return Judgement.manifests(nil, objects: 0, problems: [], failure: nil)
    }
    let read = ManifestReading.read(path)
    return Judgement.manifests(path, objects: read.objects.count, problems: read.problems, failure: read.failure)
  }
}

/// Whether a TCP port can be listened on, by doing so for a moment.
enum PortProbe {
  static func problem(host: String, port: UInt16) -> String? {
    guard let address = IPAddress(host) else { return "\(host) is no IP address" }
    let isV6 = address.family == .v6
    let descriptor = socket(isV6 ? AF_INET6 : AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard descriptor >= 0 else { return String(cString: strerror(errno)) }
    defer { close(descriptor) }
    var one: Int32 = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
    let failed = isV6 ? bindV6(descriptor, address, port) : bindV4(descriptor, address, port)
    return failed == 0 && listen(descriptor, 1) == 0 ? nil : String(cString: strerror(errno))
  }

  private static func bindV4(_ descriptor: Int32, _ address: IPAddress, _ port: UInt16) -> Int32 {
    var name = sockaddr_in()
    name.sin_family = sa_family_t(AF_INET)
    name.sin_port = port.bigEndian
    name.sin_addr.s_addr = (address.v4Bits ?? 0).bigEndian
    return withUnsafePointer(to: &name) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
    }
  }

  private static func bindV6(_ descriptor: Int32, _ address: IPAddress, _ port: UInt16) -> Int32 {
    var name = sockaddr_in6()
    name.sin6_family = sa_family_t(AF_INET6)
    name.sin6_port = port.bigEndian
    withUnsafeMutableBytes(of: &name.sin6_addr) { $0.copyBytes(from: address.bytes) }
    return withUnsafePointer(to: &name) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in6>.size)) }
    }
  }
}
