import KubeModel
import Testing
import swiftlet

/// What `swiftlet check` makes of facts.
struct JudgementTests {
  private let everything = UInt64.max

  /// Whatever is not in order comes with its way out, and only that.
  private func check(_ findings: [Finding]) {
    for finding in findings {
      #expect(finding.fix.isEmpty == (finding.level == .ok), "\(finding)")
      #expect(!finding.subject.isEmpty && !finding.detail.isEmpty)
    }
  }

  private func only(_ findings: [Finding], _ level: Finding.Level) -> Finding? {
    check(findings)
    let found = findings.filter { $0.level == level }
    #expect(found.count == 1)
    return found.first
  }

  @Test func rootWithItsCapabilitiesIsInOrder() {
    #expect(Judgement.privileges(effectiveUser: 0, capabilities: everything).map(\.level) == [.ok])
    #expect(only(Judgement.privileges(effectiveUser: 1000, capabilities: everything), .error)?.fix == "run swiftlet as root")
  }

  @Test func withheldCapabilitiesAreNamed() {
    let withoutAdmin = Judgement.privileges(effectiveUser: 0, capabilities: everything & ~(1 << 12) & ~(1 << 21))
    #expect(only(withoutAdmin, .error)?.detail == "CAP_NET_ADMIN, CAP_SYS_ADMIN withheld")
    let withoutResource = Judgement.privileges(effectiveUser: 0, capabilities: everything & ~(1 << 24))
    #expect(only(withoutResource, .warning)?.fix.contains("restrict_oom_score_adj = true") == true)
    #expect(withoutResource.map(\.level) == [.ok, .warning])
  }

  @Test func forwardingIsNeededForIPv4Only() {
    #expect(Judgement.forwarding("net.ipv4.ip_forward", value: "1", isNeeded: true).level == .ok)
    let off = Judgement.forwarding("net.ipv4.ip_forward", value: "0", isNeeded: true)
    #expect(off.level == .error && off.fix.hasPrefix("sysctl -w net.ipv4.ip_forward=1"))
    #expect(Judgement.forwarding("net.ipv6.conf.all.forwarding", value: "0", isNeeded: false).level == .warning)
    let absent = Judgement.forwarding("net.ipv6.conf.all.forwarding", value: nil, isNeeded: false)
    #expect(absent.level == .warning)
    check([off, absent])
  }

  @Test func bridgeNetfilterMattersOnlyToBridges() {
    #expect(Judgement.bridgeNetfilter(value: "1", usesBridge: true).level == .ok)
    #expect(Judgement.bridgeNetfilter(value: nil, usesBridge: false).level == .ok)
    #expect(Judgement.bridgeNetfilter(value: "0", usesBridge: false).level == .ok)
    let off = Judgement.bridgeNetfilter(value: "0", usesBridge: true)
    let absent = Judgement.bridgeNetfilter(value: nil, usesBridge: true)
    #expect(off.level == .error && off.detail.hasPrefix("0, but"))
    #expect(absent.level == .error && absent.fix.hasPrefix("modprobe br_netfilter"))
    check([off, absent])
  }

  @Test func swapIsWorthAWarning() {
    let header = "Filename\tType\tSize\tUsed\tPriority\n"
    #expect(Judgement.swap(procSwaps: header).level == .ok)
    #expect(Judgement.swap(procSwaps: "").level == .ok)
    #expect(only([Judgement.swap(procSwaps: header + "/dev/sda2 partition 1 0 -2\n")], .warning)?.detail.hasPrefix("1 in use") == true)
  }

  @Test func runtimeConditionsThatAreNotMetStandInTheWay() {
    let findings = Judgement.runtimeConditions(
      name: "containerd", version: "2.1", conditions: [("RuntimeReady", true, ""), ("NetworkReady", false, "no CNI"), ("Other", false, "")])
    check(findings)
    #expect(findings.map(\.level) == [.ok, .error, .error])
    #expect(findings[0].detail == "containerd 2.1")
    #expect(findings[1].subject == "runtime NetworkReady" && findings[1].detail == "no CNI" && findings[1].fix.contains("/etc/cni/net.d"))
    #expect(findings[2].detail == "not ready")
  }

  @Test func theRuntimesDriverMustBeOurs() {
    #expect(Judgement.runtimeDriver(isSystemd: false).level == .ok)
    #expect(Judgement.runtimeDriver(isSystemd: nil).level == .ok)
    #expect(only([Judgement.runtimeDriver(isSystemd: true)], .error)?.fix.contains("SystemdCgroup = false") == true)
  }

  @Test func aTakenPortIsAnError() {
    #expect(Judgement.port(10248, "health endpoint", problem: nil).level == .ok)
    let taken = Judgement.port(10248, "health endpoint", problem: "Address already in use")
    #expect(only([taken], .error)?.detail == "health endpoint: Address already in use")
  }

  @Test func manifestsAreCountedAndTheirProblemsListed() {
    #expect(only(Judgement.manifests(nil, objects: 0, problems: [], failure: nil), .warning)?.fix.contains("--pod-manifest-path") == true)
    #expect(only(Judgement.manifests("/m", objects: 0, problems: [], failure: "cannot open"), .error)?.detail == "cannot open")
    let decoded = ManifestDecoder.decode(
      Array("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: []}\n".utf8), file: "a.yaml")
    let findings = Judgement.manifests("/m", objects: 2, problems: decoded.problems, failure: nil)
    check(findings)
    #expect(findings[0] == .ok("manifests", "2 objects in /m"))
    #expect(findings.dropFirst().contains { $0.level == .error && $0.detail.hasPrefix("a.yaml:") })
  }
}
