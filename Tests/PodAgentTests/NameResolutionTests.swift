import KubeModel
import PodAgent
import Testing

@Suite struct DNSSettingsTests {
  private let host = DNSSettings(servers: ["192.0.2.53"], searches: ["example.net"], options: ["timeout:1"])

  private func settings(
    _ policy: DNSPolicy, hostNetwork: Bool = false, cluster: Bool = true, extra: PodDNSConfig? = nil
  ) -> DNSSettings {
    let spec = PodSpec(dnsPolicy: policy, dnsConfig: extra, hostNetwork: hostNetwork)
    let node = NodeFacts(
      nodeName: "node", clusterDomain: "cluster.local", clusterDNS: cluster ? ["10.96.0.10"].compactMap { IPAddress($0) } : [])
    return .of(spec, namespace: "shop", node: node, host: host)
  }

  private let clustered = DNSSettings(
    servers: ["10.96.0.10"], searches: ["shop.svc.cluster.local", "svc.cluster.local", "cluster.local", "example.net"],
    options: ["ndots:5"])

  @Test func theFileIsReadAsTheResolverReadsIt() {
    let text = """
      # nameserver 1.1.1.1
      nameserver 192.0.2.53
      nameserver\t2001:db8::53  trailing
      domain old.example
      search a.example b.example
      options ndots:2 rotate
      ; a comment
      sortlist 1.2.3.4
      """
    #expect(
      DNSSettings(resolvConf: text)
        == DNSSettings(servers: ["192.0.2.53", "2001:db8::53"], searches: ["a.example", "b.example"], options: ["ndots:2", "rotate"]))
    #expect(DNSSettings(resolvConf: "") == DNSSettings())
  }

  @Test func policiesDecideWhereNamesAreLookedUp() {
    #expect(settings(.clusterFirst) == clustered)
    #expect(settings(.clusterFirst, hostNetwork: true) == host)
    #expect(settings(.clusterFirstWithHostNet, hostNetwork: true) == clustered)
    #expect(settings(.default) == host)
    #expect(settings(.none) == DNSSettings())
    #expect(settings(.clusterFirst, cluster: false) == host)
  }

  @Test func thePodsOwnSettingsAreAdded() {
    let extra = PodDNSConfig(
      nameservers: ["192.0.2.53", "192.0.2.54"].compactMap { IPAddress($0) }, searches: ["example.net", "mine.example"],
      options: [PodDNSConfigOption(name: "timeout", value: "3"), PodDNSConfigOption(name: "edns0")])
    #expect(
      settings(.default, extra: extra)
        == DNSSettings(
          servers: ["192.0.2.53", "192.0.2.54"], searches: ["example.net", "mine.example"], options: ["timeout:3", "edns0"]))
  }
}

@Suite struct HostsFileTests {
  private func lines(_ spec: PodSpec, domain: String = "cluster.local") -> [String] {
    HostsFile.text(
      for: .make("web", spec), hostname: "web", addresses: ["10.88.0.2", "fd00::2"].compactMap { IPAddress($0) }, clusterDomain: domain
    ).split(separator: "\n").map(String.init)
  }

  @Test func thePodKnowsItselfAndLoopback() {
    let lines = lines(PodSpec())
    #expect(lines.first?.hasPrefix("#") == true)
    #expect(lines.contains("127.0.0.1\tlocalhost"))
    #expect(lines.contains("10.88.0.2\tweb"))
    #expect(lines.contains("fd00::2\tweb"))
  }

  @Test func aSubdomainGivesTheFullName() {
    var spec = PodSpec()
    spec.subdomain = "db"
    #expect(lines(spec).contains("10.88.0.2\tweb.db.default.svc.cluster.local\tweb"))
    #expect(lines(spec, domain: "").contains("10.88.0.2\tweb"))
  }

  @Test func aliasesAreAdded() throws {
    var spec = PodSpec()
    spec.hostAliases = [HostAlias(ip: try #require(IPAddress("192.0.2.9")), hostnames: ["a.example", "b.example"])]
    #expect(lines(spec).last == "192.0.2.9\ta.example\tb.example")
  }
}
