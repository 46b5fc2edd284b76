import Glibc
import PluginKit

/// Settings below /proc/sys, as upstream's ipvs mode makes them. They stay when the backend goes: nobody knows what they were.
package enum KernelSettings {
  package struct Setting: Equatable, Sendable {
    package var path: String
    package var value: String

    package init(path: String, value: String) {
      self.path = path
      self.value = value
    }
  }

  /// - Parameter release: of the kernel, "6.1.0-38-amd64".
  package static func wanted(_ settings: Settings, release: String) -> [Setting] {
    var wanted = [
      // Without connection tracking nothing masquerades what IPVS sends on.
      Setting(path: "net/ipv4/vs/conntrack", value: "1"),
      // Connections to a server that is gone end at once, and so does a client's tie to one of weight 0.
      Setting(path: "net/ipv4/vs/expire_nodest_conn", value: "1"),
      Setting(path: "net/ipv4/vs/expire_quiescent_template", value: "1"),
      Setting(path: "net/ipv4/ip_forward", value: "1"),
    ]
    // A client that uses a port again waited a second for it from 4.1 on, until 5.9 (kubernetes/kubernetes#81775, #93297).
    let version = version(release)
    if (4, 1) <= version, version < (5, 9) { wanted.append(Setting(path: "net/ipv4/vs/conn_reuse_mode", value: "0")) }
    if settings.strictARP {
      wanted.append(Setting(path: "net/ipv4/conf/all/arp_ignore", value: "1"))
      wanted.append(Setting(path: "net/ipv4/conf/all/arp_announce", value: "2"))
    }
    return wanted
  }

  /// In the network namespace of the calling thread. What is right already is not written.
  package static func apply(_ settings: Settings) throws(BackendFault) {
    for setting in wanted(settings, release: release()) where try read(setting.path) != setting.value {
      try write(setting)
    }
  }

  private static func version(_ release: String) -> (Int, Int) {
    let numbers = release.split { !$0.isNumber }.prefix(2).map { Int($0) ?? 0 }
    return (numbers.first ?? 0, numbers.count > 1 ? numbers.last ?? 0 : 0)
  }

  private static func release() -> String {
    var name = utsname()
    guard uname(&name) == 0 else { return "" }
    return withUnsafeBytes(of: name.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
  }

  private static func read(_ path: String) throws(BackendFault) -> String {
    let file = open("/proc/sys/" + path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw Failure.fault("sysctl \(path)", errno: errno) }
    defer { close(file) }
    var buffer = [UInt8](repeating: 0, count: 64)
    let count = Glibc.read(file, &buffer, buffer.count)
    return String(decoding: buffer.prefix(max(0, count)).prefix { $0 > 0x20 }, as: UTF8.self)
  }

  private static func write(_ setting: Setting) throws(BackendFault) {
    let object = "sysctl \(setting.path)=\(setting.value)"
    let file = open("/proc/sys/" + setting.path, O_WRONLY | O_CLOEXEC)
    guard file >= 0 else { throw Failure.fault(object, errno: errno) }
    defer { close(file) }
    guard Glibc.write(file, setting.value, setting.value.utf8.count) == setting.value.utf8.count else {
      throw Failure.fault(object, errno: errno)
    }
  }
}
