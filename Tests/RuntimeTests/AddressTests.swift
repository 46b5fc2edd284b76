import Glibc
import ProxyTesting
import Testing

extension RuntimeTests {
  /// The node's own addresses, beside somebody else's kubelet.
  @Suite struct Addresses {
    private let namespace: NetworkNamespace
    private let machine: Machine

    init() async throws {
      namespace = try NetworkNamespace()
      machine = try await Machine.shared.value
      try await ip("link add uplink type veth peer name other", "link set uplink up", "link set other up")
    }

    private func ip(_ commands: String...) async throws {
      for command in commands { _ = try await Tool.must(["ip"] + command.split(separator: " ").map(String.init), in: namespace) }
    }

    private func becomes(_ address: String) async throws {
      try await ip("addr add \(address)/24 dev uplink", "route replace default via 198.51.100.254 dev uplink src \(address)")
    }

    private static let service = """
      apiVersion: v1
      kind: Service
      metadata: {name: web, namespace: default}
      spec: {type: NodePort, clusterIP: 10.111.0.9, ports: [{port: 80, nodePort: 30080}]}
      ---
      apiVersion: discovery.k8s.io/v1
      kind: EndpointSlice
      metadata: {name: web-1, namespace: default, labels: {kubernetes.io/service-name: web}}
      addressType: IPv4
      ports: [{port: 8080}]
      endpoints: [{addresses: [10.1.0.7], conditions: {ready: true}}]
      """

    /// In nftables mode they answer at the primary address alone, as kube-proxy's. The daemon starts anew in its own process, and what
    /// it serves stays meanwhile.
    @Test func nodePortsMoveWithThePrimaryAddress() async throws {
      let directory = "\(machine.directory)/addresses"
      try TestFiles.makeDirectory(directory)
      try TestFiles.makeDirectory("\(directory)/m")
      try TestFiles.write("\(directory)/m/web.yaml", Self.service)
      try await becomes("198.51.100.1")
      let log = open("\(directory)/log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
      defer { close(log) }
      let words = [
        machine.swiftlet, "run", "--pods=false", "--proxy-mode", "nftables", "--plugin-dir", machine.plugins,
        "--root-dir", "\(directory)/r", "--pod-manifest-path", "\(directory)/m", "--socket", "\(directory)/s",
        "--healthz-port", "0", "--conntrack-max-per-core", "0",
      ]
      let daemon = try ChildProcess(words, out: log, err: log, in: namespace)
      Machine.ends(daemon)
      let look = { (address: String) in
        let tool = try await Tool.run(["nft", "list", "table", "ip", "swiftlet"], in: namespace)
        return tool.out.contains("ip daddr \(address) fib daddr type local") && tool.out.contains("10.1.0.7 . 8080")
      }
      try await eventually("node ports at the first address") { try await look("198.51.100.1") }
      // The first pod's interface, and one more address: no reason for anything.
      try await ip("addr add fd00:7::1/64 dev other nodad", "addr add 10.1.0.1/24 dev other")
      try await ip("addr add 198.51.100.7/24 dev uplink", "route replace default via 198.51.100.254 dev uplink src 198.51.100.7")
      try await eventually("node ports at the other address") { try await look("198.51.100.7") }
      #expect(daemon.exit == nil)
      let told = try #require(TestFiles.read("\(directory)/log"))
      #expect(told.split(separator: "\n").count { $0.contains("primary address changed") } == 1)
      daemon.signal(SIGTERM)
      #expect(try await daemon.wait(within: .seconds(30)) == .code(0))
    }
  }
}
