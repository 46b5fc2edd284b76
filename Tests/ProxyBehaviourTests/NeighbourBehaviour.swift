import PluginAPI
import ProxyTesting
import Testing

/// What stands beside the backend's rules: servers of the node at loopback, and the firewall of the machine.
struct NeighbourBehaviour {
  let backend: BackendUnderTest

  private static let slot = 4600

  /// Node ports at loopback need `route_localnet`, which on its own opens the whole of 127/8 to neighbours (CVE-2020-8558).
  func loopbackStaysClosedToNeighbours() throws {
    if try Unsupported.reason(backend, .localhostNodePorts) != nil { return }
    let plan = Plan.four
    let topology = try Topology()
    // A new namespace has it from the machine.
    try topology.node.setting("net/ipv4/conf/all/route_localnet", "0")
    let proxy = try Proxy(backend, Configuration.localhostNodePorts.values, on: topology.node)
    defer { proxy.remove() }
    let setting = "/proc/sys/net/ipv4/conf/all/route_localnet"
    #expect(try Command.run("cat", setting, in: topology.node) == "0\n")
    try proxy.sync(.full([TestService("default/web:http", [.nodePort(30_080)], [plan.endpointA])]))
    let server = try EchoServer(
      in: topology.node, [EchoServer.Endpoint(label: "secret", address: plan.loopback, port: 8088)], associations: false)
    defer { server.stop() }
    #expect(try topology.knock(from: .node, Sockets.tcp, plan.loopback, 30_080).server == "A")
    #expect(try topology.knock(from: .node, Sockets.tcp, plan.loopback, 8088).server == "secret")
    try topology.outside.setting("net/ipv4/conf/all/route_localnet", "1")
    try Command.run("ip", "addr", "del", "127.0.0.1/8", "dev", "lo", in: topology.outside)
    try Command.run("ip", "route", "add", "127.0.0.0/8", "via", plan.node, "src", plan.outside, in: topology.outside)
    #expect(try topology.knock(from: .outside, Sockets.tcp, plan.loopback, 8088, patience: Knock.shortPatience).server == nil)
    proxy.stop()
    try proxy.cleanup()
    #expect(try Command.run("cat", setting, in: topology.node) == "0\n")
    #expect(try topology.knock(from: .outside, Sockets.tcp, plan.loopback, 8088, patience: Knock.shortPatience).server == nil)
  }

  /// As with kube-proxy, a FORWARD chain that drops lets pass what is marked for masquerading, and only that.
  func aFirewallThatDropsLetsServicesPass() throws {
    let tools: [UInt8: String]
    switch backend {
    case .iptablesNFT: tools = [4: "iptables-nft", 6: "ip6tables-nft"]
    case .iptablesLegacy: tools = [4: "iptables-legacy", 6: "ip6tables-legacy"]
    // A table of nftables cannot overrule another's drop, and that of IPVS is kube-proxy's affair neither.
    case .nftables, .ipvs: return
    }
    try Proxy.on(backend) { topology, proxy in
      try proxy.sync(
        .full(
          Plan.both.map { plan in
            TestService(
              "default/web:http/\(plan.family)", family: plan.family,
              [.nodePort(29_600).masquerading(SWL_PROXY_MASQUERADE_ALWAYS), .clusterIP(plan.cluster(Self.slot), 80)],
              [plan.endpointA, plan.endpointB])
          }))
      for plan in Plan.both {
        let tool = tools[plan.family] ?? ""
        try Command.run(tool, "-w", "-P", "FORWARD", "DROP", in: topology.node)
        defer { _ = try? Command.run(tool, "-w", "-P", "FORWARD", "ACCEPT", in: topology.node) }
        let knocks = try topology.knock(8, from: .outside, Sockets.tcp, plan.node, 29_600)
        #expect(knocks.allSatisfy { $0.server == "A" || $0.server == "B" }, "\(backend.rawValue), IPv\(plan.family)")
        let direct = try topology.knock(
          from: .outside, Sockets.tcp, plan.cluster(Self.slot), 80, patience: Knock.shortPatience)
        #expect(direct == .silent)
      }
    }
  }

  /// As with kube-proxy, with all their packets and no others; and only while the host says so.
  func aFirewallThatDropsLetsHealthChecksIn() throws {
    let variant =
      switch backend {
      case .iptablesLegacy: "-legacy"
      case .iptablesNFT, .nftables: "-nft"
      // Its rules are of the machine's own variant.
      case .ipvs: ""
      }
    let reason = Unsupported.reason(backend, .healthChecksPassAFirewall)
    try Proxy.on(backend) { topology, proxy in
      let ports: [UInt16] = [32_046, 32_047]
      let endpoints = Plan.both.flatMap { plan in ports.map { EchoServer.Endpoint(label: "health", address: plan.node, port: $0) } }
      let server = try EchoServer(in: topology.node, endpoints, associations: false)
      defer { server.stop() }
      for plan in Plan.both {
        let tool = (plan.family == 4 ? "iptables" : "ip6tables") + variant
        // Neighbours have to find each other.
        let neighbours = ["INPUT", "-p", "ipv6-icmp", "-j", "ACCEPT"]
        if plan.family == 6 { try Command.run([tool, "-w", "-A"] + neighbours, in: topology.node) }
        try Command.run(tool, "-w", "-P", "INPUT", "DROP", in: topology.node)
        defer {
          _ = try? Command.run(tool, "-w", "-P", "INPUT", "ACCEPT", in: topology.node)
          if plan.family == 6 { _ = try? Command.run([tool, "-w", "-D"] + neighbours, in: topology.node) }
        }
        func knock(_ port: UInt16, _ patience: Int = Knock.shortPatience) throws -> Bool {
          try topology.knock(from: .outside, Sockets.tcp, plan.node, port, patience: patience).server == "health"
        }
        try proxy.sync(.full([], healthCheckPorts: [ports[0]]))
        let patience = reason == nil ? Knock.longPatience : Knock.shortPatience
        #expect(try knock(ports[0], patience) == (reason == nil), "\(backend.rawValue), IPv\(plan.family), \(reason ?? "supported")")
        #expect(try !knock(ports[1]))
        try proxy.sync(TestBatch(healthCheckPorts: []))
        #expect(try !knock(ports[0]))
      }
    }
  }
}

extension NeighbourBehaviour {
  enum Claim: CaseIterable, Sendable {
    case loopbackStaysClosedToNeighbours
    case aFirewallThatDropsLetsServicesPass
    case aFirewallThatDropsLetsHealthChecksIn
  }

  func check(_ claim: Claim) throws {
    switch claim {
    case .loopbackStaysClosedToNeighbours: try loopbackStaysClosedToNeighbours()
    case .aFirewallThatDropsLetsServicesPass: try aFirewallThatDropsLetsServicesPass()
    case .aFirewallThatDropsLetsHealthChecksIn: try aFirewallThatDropsLetsHealthChecksIn()
    }
  }
}
