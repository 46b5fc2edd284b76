import Glibc
import PluginKit

/// `route_localnet`: whether the kernel routes from 127.0.0.1 to pods, which node ports at loopback need. On its own it opens what
/// listens on loopback to every neighbour (CVE-2020-8558), so it is on only while the rules that guard loopback are there.
package struct LoopbackRouting {
  private let path: String

  package static let name = "net.ipv4.conf.all.route_localnet"

  /// - Parameter path: another file, for tests.
  package init(path: String = "/proc/sys/net/ipv4/conf/all/route_localnet") { self.path = path }

  /// Whether it is on or could be; touches nothing. Where nobody here may write, somebody with more rights may have set it up
  /// (`--init-only`).
  package func check() throws(BackendFault) {
    if try current() == "1" { return }
    guard let file = fopen(path, "r+e") else { throw fault("open") }
    fclose(file)
  }

  /// Once the guard is in the kernel.
  package func allow() throws(BackendFault) { _ = try set("1") }

  /// Before the guard goes.
  /// - Returns: false when it was off.
  package func forbid() throws(BackendFault) -> Bool { try set("0") }

  private func current() throws(BackendFault) -> Character? {
    guard let file = fopen(path, "re") else { throw fault("open") }
    defer { fclose(file) }
    return UInt8(exactly: getc(file)).map { Character(UnicodeScalar($0)) }
  }

  private func set(_ value: Character) throws(BackendFault) -> Bool {
    if try current() == value { return false }
    guard let file = fopen(path, "r+e") else { throw fault("open") }
    defer { fclose(file) }
    guard fputs("\(value)\n", file) >= 0, fflush(file) == 0 else { throw fault("write") }
    return true
  }

  private func fault(_ operation: String) -> BackendFault {
    BackendFault(.denied, "\(operation) \(path): \(String(cString: strerror(errno)))", errno: errno)
  }
}
