import Glibc
import IPVS
import PluginAPI
import PluginKit
import ProxyTesting
import Testing

/// What others made on the same kernel: left alone, or taken over from kube-proxy.
@Suite(.serialized, .enabled(if: isVirtualMachineRing, "runs in Scripts/test-vm, or with SWIFTLET_TEST_RING=vm"))
struct OthersVirtualMachineTests {
  private let plan = Scene.Plan.four
  private let scene: Scene
  private let web: TestService

  init() throws {
    scene = try Scene()
    web = TestService("default/web", [.clusterIP(plan.cluster, 80), .nodePort(30080)], [plan.endpointA, plan.endpointB])
  }

  @Test func othersVirtualServersAreLeftAlone() throws {
    let foreign = """
      -A -t 192.0.2.1:443 -s wlc
      -a -t 192.0.2.1:443 -r 10.0.1.2:8080 -m -w 3
      -A -t 198.51.100.7:80 -s rr
      -A -f 7 -s rr

      """
    try Command.run("ipvsadm", "-R", in: scene.node, input: foreign)
    let before = try scene.virtualServers()
    let backend = try scene.start()
    var thief = web
    thief.key = "default/thief"
    thief.frontends = [.nodePort(443)]
    let failures = try backend.sync(.full([web, thief]))
    #expect(failures.keys.map { $0 } == ["default/thief"])
    #expect(failures.values.first?.message.contains("somebody else's") == true)
    #expect(try scene.servers(from: scene.outside, plan.cluster, 80) == ["A", "B"])
    try backend.sync(.full([]))
    try scene.node.run { try backend.cleanup { _ in } }
    backend.stop()
    #expect(try scene.virtualServers() == before)
  }

  @Test func kubeProxysIPVSModeIsTakenOver() throws {
    _ = try scene.onNode("ip", "link", "add", "kube-ipvs0", "type", "dummy")
    _ = try scene.onNode("ip", "addr", "add", "10.96.0.1/32", "dev", "kube-ipvs0")
    _ = try scene.onNode("ip", "addr", "add", "10.96.0.99/32", "dev", "kube-ipvs0")
    try scene.node.setting("net/ipv4/vs/conntrack", "1")
    try scene.node.setting("net/ipv4/ip_forward", "1")
    let servers = """
      -A -t 10.96.0.1:80 -s rr
      -a -t 10.96.0.1:80 -r 10.0.1.2:8080 -m -w 1
      -A -t 10.96.0.99:80 -s rr
      -A -t 192.0.2.1:31000 -s rr
      -A -t 192.0.2.1:9999 -s rr

      """
    try Command.run("ipvsadm", "-R", in: scene.node, input: servers)
    let sets = """
      create KUBE-CLUSTER-IP hash:ip,port
      add KUBE-CLUSTER-IP 10.96.0.1,tcp:80
      create KUBE-NODE-PORT-TCP bitmap:port range 0-65535
      add KUBE-NODE-PORT-TCP 31000

      """
    try Command.run("ipset", "restore", in: scene.node, input: sets)
    let rules = """
      *nat
      :KUBE-SERVICES - [0:0]
      :KUBE-MARK-MASQ - [0:0]
      -A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
      -A KUBE-SERVICES -m set --match-set KUBE-CLUSTER-IP dst,dst -j KUBE-MARK-MASQ
      -A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
      :CNI-DN-DDDDDDDDDDDDDDDD - [0:0]
      -A CNI-DN-DDDDDDDDDDDDDDDD -s 10.0.1.0/24 -p tcp -m tcp --dport 8080 -j KUBE-MARK-MASQ
      :KUBE-POSTROUTING - [0:0]
      -A POSTROUTING -j KUBE-POSTROUTING
      -A KUBE-POSTROUTING -m mark --mark 0x4000/0x4000 -j MASQUERADE
      COMMIT
      *filter
      :KUBE-FIREWALL - [0:0]
      :KUBE-IPVS-FILTER - [0:0]
      -A INPUT -j KUBE-IPVS-FILTER
      -A INPUT -j KUBE-FIREWALL
      :KUBE-FORWARD - [0:0]
      -A FORWARD -j KUBE-FORWARD
      -A KUBE-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
      COMMIT

      """
    try Command.run("iptables-restore", in: scene.node, input: rules)
    let conversation = try scene.outside.run { SocketStream(plan.cluster, 80) }
    #expect(conversation.read() != nil)
    #expect(conversation.echoes("before"))
    let backend = try scene.start()
    defer { backend.stop() }
    let connections = try scene.onNode("ipvsadm", "-Lnc")
    #expect(conversation.echoes("started"), "\(connections)")
    #expect(try backend.sync(.full([web])).isEmpty)
    #expect(conversation.echoes("taken over"))
    var found: [String] = []
    var removed: [String] = []
    try scene.node.run {
      try backend.listForeign { found.append($0) }
      try backend.removeForeign { removed.append($0) }
    }
    #expect(found == removed)
    #expect(found.contains("virtual server TCP 10.96.0.99:80"))
    #expect(found.contains("virtual server TCP 192.0.2.1:31000"))
    #expect(!found.contains("virtual server TCP 10.96.0.1:80"))
    let rest = try scene.state().joined(separator: "\n")
    for word in ["kube-ipvs0", "KUBE-CLUSTER-IP", "KUBE-SERVICES", "KUBE-IPVS", "31000"] {
      #expect(!rest.contains(word), "\(word) is left")
    }
    // kubelet's, and somebody's.
    for word in ["KUBE-FIREWALL", "192.0.2.1:9999", "--dport 8080 -j KUBE-MARK-MASQ", "-A KUBE-MARK-MASQ -j MARK"] {
      #expect(rest.contains(word), "\(word) is gone")
    }
    #expect(conversation.echoes("still there"))
    #expect(try scene.servers(from: scene.outside, plan.cluster, 80) == ["A", "B"])
    try scene.node.run { try backend.listForeign { Issue.record("\($0) after removal") } }
  }
}
