import Conntrack
import ProxyTesting
import Testing

/// Whether the kernel takes packets outside of a TCP window, whoever set it so.
@Suite struct ConntrackLiberalTests {
  /// A directory like / with the setting in it.
  private func with<Result>(_ name: String, _ value: String?, _ body: (KernelSettings) -> Result) throws -> Result {
    let root = try Command.run("mktemp", "-d", "/tmp/swiftlet-liberal-XXXXXX").split(separator: "\n").joined()
    defer { _ = try? Command.run("rm", "-r", root) }
    if let value {
      try Command.run("mkdir", "-p", "\(root)/proc/sys/net/netfilter", "\(root)/proc/sys/kernel")
      try Command.run("tee", "\(root)/proc/sys/\(name)", input: value)
    }
    return body(KernelSettings(root: root))
  }

  private func isLiberal(_ value: String?) throws -> Bool {
    try with("net/netfilter/nf_conntrack_tcp_be_liberal", value) { $0.isConntrackLiberal }
  }

  @Test func whatSomebodyElseSetCounts() throws {
    #expect(try isLiberal("1\n") && isLiberal("2\n"))
    #expect(try !isLiberal("0\n"))
  }

  @Test func aKernelWithoutConntrackIsNotLiberal() throws { #expect(try !isLiberal(nil)) }

  @Test(arguments: [
    ("6.1.0-31-amd64\n", true), ("6.0.19\n", false), ("5.15.55-generic\n", false), ("6.18.5\n", true), ("7.0-rc1\n", true), ("x\n", false),
    (nil, false),
  ])
  func lateSegmentsPassSinceLinux61(_ release: String?, _ pass: Bool) throws {
    #expect(try with("kernel/osrelease", release) { $0.takesDelayedSegments } == pass)
  }
}
