import Glibc
import PluginKit

/// `route_localnet`: whether the kernel routes from 127.0.0.1 to pods, which node ports at loopback need. On its own it opens what
/// listens on loopback to every neighbour (CVE-2020-8558), so it is on only while the rules that guard loopback are there.
package struct LoopbackRouting {
  private let path: String

  package static let name = "net.ipv4.conf.all.route_localnet"

  /// - Parameter path: another file, for tests.
  package init(path: String = "/proc/sys/net/ipv4/conf/all/route_localnet") { self.path = path }

  /// Whether it is on or could be; touches nothing.
  package func check() throws(BackendFault) {
    fclose(try open())
  }

  /// Once the guard is in the kernel.
  package func allow() throws(BackendFault) { _ = try set("1") }

  /// Before the guard goes.
  /// - Returns: false when it was off.
  package func forbid() throws(BackendFault) -> Bool { try set("0") }

  private func set(_ value: Character) throws(BackendFault) -> Bool {
    let file = try open()
    defer { fclose(file) }
    if getc(file) == value.asciiValue.map(Int32.init) { return false }
    rewind(file)
    guard fputs("\(value)\n", file) >= 0, fflush(file) == 0 else { throw fault("write") }
    return true
  }

  /// For writing, or for reading where it is on and nobody may write: somebody with more rights set it up (`--init-only`).
  private func open() throws(BackendFault) -> UnsafeMutablePointer<FILE> {
    if let file = fopen(path, "r+e") { return file }
    let cause = fault("open")
    guard let file = fopen(path, "re") else { throw cause }
    guard getc(file) == Int32(UInt8(ascii: "1")) else {
      fclose(file)
      throw cause
    }
    rewind(file)
    return file
  }

  private func fault(_ operation: String) -> BackendFault {
    BackendFault(.denied, "\(operation) \(path): \(String(cString: strerror(errno)))", errno: errno)
  }
}
