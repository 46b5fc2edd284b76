import IPTables
import PluginKit
import ProxyTesting
import Testing

/// Rules as kube-proxy 1.36 leaves them beside kubelet's and a CNI plugin's.
enum KubeProxyRules {
  static let text = """
    *mangle
    :KUBE-IPTABLES-HINT - [0:0]
    :KUBE-KUBELET-CANARY - [0:0]
    :KUBE-PROXY-CANARY - [0:0]
    COMMIT
    *filter
    :KUBE-EXTERNAL-SERVICES - [0:0]
    :KUBE-FIREWALL - [0:0]
    :KUBE-FORWARD - [0:0]
    :KUBE-NODEPORTS - [0:0]
    :KUBE-PROXY-CANARY - [0:0]
    :KUBE-PROXY-FIREWALL - [0:0]
    :KUBE-SERVICES - [0:0]
    -A INPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL
    -A INPUT -m comment --comment "kubernetes health check service ports" -j KUBE-NODEPORTS
    -A INPUT -j KUBE-FIREWALL
    -A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
    -A FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
    -A OUTPUT -j KUBE-FIREWALL
    -A KUBE-FIREWALL -m mark --mark 0x8000/0x8000 -j DROP
    -A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP
    COMMIT
    *nat
    :CNI-HOSTPORT-DNAT - [0:0]
    :KUBE-EXT-AAAAAAAAAAAAAAAA - [0:0]
    :KUBE-KUBELET-CANARY - [0:0]
    :KUBE-MARK-MASQ - [0:0]
    :KUBE-NODEPORTS - [0:0]
    :KUBE-POSTROUTING - [0:0]
    :KUBE-SEP-BBBBBBBBBBBBBBBB - [0:0]
    :KUBE-SERVICES - [0:0]
    :KUBE-SVC-CCCCCCCCCCCCCCCC - [0:0]
    -A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
    -A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
    -A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
    -A KUBE-EXT-AAAAAAAAAAAAAAAA -j KUBE-SVC-CCCCCCCCCCCCCCCC
    -A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
    -A KUBE-NODEPORTS -p tcp -m tcp --dport 30080 -j KUBE-EXT-AAAAAAAAAAAAAAAA
    -A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
    -A KUBE-SEP-BBBBBBBBBBBBBBBB -j KUBE-MARK-MASQ
    -A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
    -A KUBE-SVC-CCCCCCCCCCCCCCCC -m comment --comment "default/web -> [fd00::1]:80" -j KUBE-SEP-BBBBBBBBBBBBBBBB
    COMMIT

    """
}

@Suite(.serialized, .blocking) struct TakeoverKernelTests {
  private let namespace: NetworkNamespace
  /// A tool that is not told to wait fails while another suite's holds the machine's.
  private let lockFile = LockFile()

  init() throws { namespace = try NetworkNamespace() }

  private func restore(_ family: String, _ variant: Variant, _ text: String) throws {
    let tool = "\(family)-\(variant.rawValue)-restore"
    try Command.run("env", "XTABLES_LOCKFILE=\(lockFile.path)", tool, "--noflush", in: namespace, input: text)
  }

  private func makeBackend(_ variant: Variant?) throws -> IPTablesBackend {
    try Fixtures.backend(ChildProcess(lockFile: lockFile.path), variant)
  }

  private func save(_ family: String, _ variant: Variant) throws -> String {
    try Command.run("\(family)-\(variant.rawValue)-save", in: namespace)
  }

  @Test(arguments: Variant.allCases)
  func kubeProxysChainsGoAndKubeletsStay(_ variant: Variant) throws {
    for family in ["iptables", "ip6tables"] { try restore(family, variant, KubeProxyRules.text) }
    // The backend's own variant does not matter.
    let backend = try makeBackend(variant == .nft ? .legacy : .nft)
    var found: [String] = []
    var removed: [String] = []
    try namespace.run {
      try backend.listForeign { found.append($0) }
      try backend.removeForeign { removed.append($0) }
    }
    #expect(found == removed)
    // 14 chains and 7 rules that lead to them, in both families.
    #expect(found.count == 42)
    for family in ["iptables", "ip6tables"] {
      let left = SavedRules(try save(family, variant))
      let chains = left.tables.flatMap { table in table.chains.filter { !table.builtin.contains($0) } }
      let canary = "KUBE-KUBELET-CANARY"
      #expect(chains.sorted() == ["CNI-HOSTPORT-DNAT", "KUBE-FIREWALL", "KUBE-IPTABLES-HINT", canary, canary])
      #expect(left.ruleCount == 3)
    }
    try namespace.run { try backend.listForeign { Issue.record("still there: \($0)") } }
  }

  /// As portmap has them with externalSetMarkChain.
  @Test(arguments: Variant.allCases)
  func theMarkOthersUseStaysWithTheirRules(_ variant: Variant) throws {
    let hostPort = """
      *nat
      :CNI-DN-DDDDDDDDDDDDDDDD - [0:0]
      -A CNI-DN-DDDDDDDDDDDDDDDD -s 10.0.1.0/24 -p tcp -m tcp --dport 8080 -j KUBE-MARK-MASQ
      COMMIT

      """
    for text in [KubeProxyRules.text, hostPort] { try restore("iptables", variant, text) }
    let backend = try makeBackend(variant)
    try namespace.run {
      try backend.removeForeign { #expect(!$0.contains("KUBE-MARK-MASQ"), "\($0) went") }
      try backend.listForeign { Issue.record("still there: \($0)") }
    }
    let left = try save("iptables", variant)
    #expect(left.contains("--dport 8080 -j KUBE-MARK-MASQ"))
    #expect(left.contains("-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000"))
    #expect(!left.contains("KUBE-SERVICES"))
  }

  @Test(arguments: Variant.allCases)
  func cleanupRemovesOurRulesOfBothVariantsAndNothingElse(_ variant: Variant) throws {
    let other: Variant = variant == .nft ? .legacy : .nft
    try restore("iptables", variant, KubeProxyRules.text)
    let before = try save("iptables", variant).split(separator: "\n").filter { !$0.hasPrefix("#") }
    let services = (1...300).map { Fixtures.web($0) } + [Fixtures.rich(4, affinity: 9), Fixtures.rich(6)]
    try namespace.run {
      for variant in [other, variant] {
        let backend = try makeBackend(variant)
        try backend.start()
        try backend.sync(.full(services))
        let leftover = "*nat\n:SWIFTLET-OLD - [0:0]\nCOMMIT\n"
        if variant == other { try restore("iptables", other, leftover) }
      }
      let backend = try makeBackend(nil)
      var removed = 0
      try backend.cleanup { _ in removed += 1 }
      #expect(removed > 300)
      try backend.listOwned { Issue.record("owns \($0)") }
    }
    #expect(try save("iptables", variant).split(separator: "\n").filter { !$0.hasPrefix("#") } == before)
    for family in ["iptables", "ip6tables"] {
      for variant in Variant.allCases { #expect(try !save(family, variant).contains("SWIFTLET")) }
    }
  }
}
