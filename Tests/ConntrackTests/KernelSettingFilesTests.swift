import CNamespace
import Conntrack
import Glibc
import ProxyTesting
import Testing

/// Settings as files, in a directory of the test and in the kernel's own.
@Suite struct KernelSettingFilesTests {
  private final class Root {
    let path: String

    init(_ files: [String: String]) throws {
      var template = Array("/tmp/swiftlet-settings-XXXXXX".utf8CString)
      guard mkdtemp(&template) != nil else { throw SystemError("mkdtemp") }
      path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
      for (name, value) in files {
        try Command.run("mkdir", "-p", "\(path)/\(name.split(separator: "/").dropLast().joined(separator: "/"))")
        try Command.run("tee", "\(path)/\(name)", input: value)
      }
    }

    deinit { _ = try? Command.run("rm", "-r", path) }

    func text(_ name: String) throws -> String { try Command.run("cat", "\(path)/\(name)") }
  }

  private static let maximum = "proc/sys/net/netfilter/nf_conntrack_max"
  private static let established = "proc/sys/net/netfilter/nf_conntrack_tcp_timeout_established"
  private static let closeWait = "proc/sys/net/netfilter/nf_conntrack_tcp_timeout_close_wait"
  private static let hashSize = "sys/module/nf_conntrack/parameters/hashsize"

  private func apply(_ root: Root, _ log: LogLines = LogLines()) -> [String: KernelSettingOutcome] {
    let files = KernelSettings(root: root.path)
    let outcomes = files.apply(KernelSettingPlan.settings(ConntrackSettings(), processors: 8), logger: log.logger)
    return Dictionary(uniqueKeysWithValues: outcomes.map { ($0.setting.path, $0) })
  }

  @Test func whatDiffersIsWrittenAndReported() throws {
    let root = try Root([
      Self.maximum: "65536\n", Self.hashSize: "16384\n", Self.established: "432000\n", Self.closeWait: "3600\n",
    ])
    let log = LogLines()
    let outcomes = apply(root, log)
    #expect(outcomes[Self.maximum]?.current == 65536)
    #expect(outcomes[Self.maximum]?.result == .written)
    #expect(outcomes[Self.closeWait]?.result == .kept)
    #expect(try root.text(Self.maximum) == "262144\n")
    #expect(try root.text(Self.hashSize) == "65536\n")
    // Timeouts are lowered too, as upstream.
    #expect(try root.text(Self.established) == "86400\n")
    #expect(log.warnings == 0)
    #expect(apply(root).values.allSatisfy { $0.result == .kept })
  }

  /// k/k#142035.
  @Test func aHigherLimitIsNeverLowered() throws {
    let root = try Root([Self.maximum: "9000000\n", Self.hashSize: "2250000\n", Self.established: "86400\n", Self.closeWait: "3600\n"])
    #expect(apply(root).values.allSatisfy { $0.result == .kept })
    #expect(try root.text(Self.maximum) == "9000000\n")
    #expect(try root.text(Self.hashSize) == "2250000\n")
  }

  @Test func aMissingSettingIsAWarningAndTheOthersAreMade() throws {
    let root = try Root([Self.maximum: "1\n", Self.hashSize: "nonsense\n", Self.established: "1\n"])
    let log = LogLines()
    let outcomes = apply(root, log)
    #expect(outcomes[Self.closeWait]?.result == .failed(operation: "open it for writing", osErrno: ENOENT))
    #expect(outcomes[Self.closeWait]?.current == nil)
    #expect(outcomes[Self.established]?.result == .written)
    // What cannot be read is written.
    #expect(outcomes[Self.hashSize]?.result == .written)
    #expect(log.warnings == 1)
    #expect(log.text.contains("load the module nf_conntrack"))
  }

  @Test func processorsOfTheNodeAreRead() throws {
    let root = try Root(["sys/devices/system/cpu/online": "0-6\n"])
    #expect(KernelSettings(root: root.path).processors() == 7)
    #expect(KernelSettings().processors() >= 1)
  }
}

/// The kernel's own files, in a namespace where writing them harms nobody.
@Suite(.blocking) struct KernelSettingKernelTests {
  private func apply(_ change: (inout ConntrackSettings) -> Void, _ log: LogLines) -> [String: KernelSettingOutcome] {
    var settings = ConntrackSettings()
    settings.maxPerCore = 0
    change(&settings)
    let outcomes = KernelSettings().apply(KernelSettingPlan.settings(settings, processors: 2), logger: log.logger)
    return Dictionary(uniqueKeysWithValues: outcomes.map { ($0.setting.name, $0) })
  }

  @Test func theKernelTakesTheSettings() throws {
    let namespace = try NetworkNamespace()
    let log = LogLines()
    let outcomes = try namespace.run {
      apply(
        {
          ($0.tcpBeLiberal, $0.routesLocalnet) = (true, true)
          ($0.udpTimeout, $0.udpStreamTimeout) = (.seconds(31), .seconds(121))
        }, log)
    }
    #expect(outcomes.count == 6)
    #expect(outcomes.values.allSatisfy { $0.result == .written })
    #expect(log.warnings == 0)
    let read = ["nf_conntrack_tcp_timeout_established", "nf_conntrack_udp_timeout", "nf_conntrack_udp_timeout_stream"]
    let values = try read.map { try Command.run("cat", "/proc/sys/net/netfilter/\($0)", in: namespace) }
    #expect(values == ["86400\n", "31\n", "121\n"])
    #expect(try Command.run("cat", "/proc/sys/net/ipv4/conf/all/route_localnet", in: namespace) == "1\n")
  }

  /// The limit is the machine's: another network namespace sees it and cannot raise it.
  @Test func aLimitThatMayNotBeWrittenIsAWarning() throws {
    let namespace = try NetworkNamespace()
    let log = LogLines()
    let setting = KernelSetting(path: "proc/sys/net/netfilter/nf_conntrack_max", wanted: .max, rule: .atLeast)
    let outcome = try namespace.run { KernelSettings().apply([setting], logger: log.logger) }
    #expect(outcome.first?.result == .failed(operation: "open it for writing", osErrno: EACCES))
    #expect((outcome.first?.current ?? 0) > 0)
    #expect(log.text.contains("/etc/sysctl.d"))
  }

  @Test func aReadOnlyProcIsAWarningAndNoFailure() throws {
    let namespace = try NetworkNamespace()
    let log = LogLines()
    let before = try Command.run("cat", "/proc/sys/net/netfilter/nf_conntrack_udp_timeout", in: namespace)
    let outcomes = try namespace.run {
      // A mount namespace of this thread alone.
      let slaveRecursively = UInt(MS_SLAVE | MS_REC)
      guard unshare(0x0002_0000) == 0, mount("none", "/", nil, slaveRecursively, nil) == 0,
        mount("/proc/sys", "/proc/sys", nil, UInt(MS_BIND), nil) == 0,
        mount("none", "/proc/sys", nil, UInt(MS_BIND | MS_REMOUNT | MS_RDONLY), nil) == 0
      else { throw SystemError("make /proc/sys read-only") }
      return apply({ $0.udpTimeout = .seconds(77) }, log)
    }
    #expect(outcomes["net.netfilter.nf_conntrack_udp_timeout"]?.result == .failed(operation: "open it for writing", osErrno: EROFS))
    #expect(log.warnings == 3)
    #expect(log.text.contains("mount /proc/sys writable"))
    #expect(try Command.run("cat", "/proc/sys/net/netfilter/nf_conntrack_udp_timeout", in: namespace) == before)
  }
}
