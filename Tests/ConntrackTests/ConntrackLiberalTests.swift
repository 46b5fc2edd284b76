import Conntrack
import ProxyTesting
import Testing

/// Whether the kernel takes packets outside of a TCP window, whoever set it so.
@Suite struct ConntrackLiberalTests {
  /// A directory like / with the setting in it.
  private func isLiberal(_ value: String?) throws -> Bool {
    let root = try Command.run("mktemp", "-d", "/tmp/swiftlet-liberal-XXXXXX").split(separator: "\n").joined()
    defer { _ = try? Command.run("rm", "-r", root) }
    if let value {
      try Command.run("mkdir", "-p", "\(root)/proc/sys/net/netfilter")
      try Command.run("tee", "\(root)/proc/sys/net/netfilter/nf_conntrack_tcp_be_liberal", input: value)
    }
    return KernelSettings(root: root).isConntrackLiberal
  }

  @Test func whatSomebodyElseSetCounts() throws {
    #expect(try isLiberal("1\n") && isLiberal("2\n"))
    #expect(try !isLiberal("0\n"))
  }

  @Test func aKernelWithoutConntrackIsNotLiberal() throws { #expect(try !isLiberal(nil)) }
}
