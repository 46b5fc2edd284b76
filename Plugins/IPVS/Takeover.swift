import Glibc
import PluginKit

/// What kube-proxy leaves in its ipvs mode. The mode is recognised by the interface kube-ipvs0 or by its sets: the names of its
/// chains are those of its iptables mode too, which is another backend's business.
extension IPVSBackend: TakeoverProxy {
  package func listForeign(_ found: (String) -> Void) throws(BackendFault) {
    let leftovers = try Leftovers(settings)
    leftovers.servers.forEach { found("virtual server \($0.title)") }
    leftovers.chains.forEach { found("\($0.tool) \($0.table) \($0.name)") }
    leftovers.sets.forEach { found("set \($0)") }
    if leftovers.hasInterface { found("interface \(DummyInterface.foreignName)") }
  }

  package func removeForeign(removed: (String) -> Void) throws(BackendFault) {
    let leftovers = try Leftovers(settings)
    if let ipvs = leftovers.ipvs {
      for key in leftovers.servers where try Cleanup.remove(key, ipvs) { removed("virtual server \(key.title)") }
    }
    for (family, saved) in leftovers.saved.sorted(by: { $0.key < $1.key }) {
      let chains = Set(leftovers.chains.filter { $0.family == family }.map { "\($0.table) \($0.name)" })
      guard let text = saved.removal(where: { chains.contains("\($0) \($1)") }) else { continue }
      try IPTables.restore(family, text)
      leftovers.chains.filter { $0.family == family }.forEach { removed("\($0.tool) \($0.table) \($0.name)") }
    }
    for set in leftovers.sets where try Cleanup.destroy(set) { removed("set \(set)") }
    if leftovers.hasInterface, try leftovers.route.removeLink(DummyInterface.foreignName) {
      removed("interface \(DummyInterface.foreignName)")
    }
  }
}

private struct Leftovers {
  struct Chain {
    var family: Family
    var table: String
    var name: String
    var tool: String { family == .ipv4 ? "iptables" : "ip6tables" }
  }

  /// Those of kube-proxy's ipvs mode, 1.11 to 1.36. KUBE-FIREWALL of the table filter is kubelet's and stays.
  private static let chainNames: [String: Set<String>] = [
    "nat": [
      "KUBE-SERVICES", "KUBE-POSTROUTING", "KUBE-NODE-PORT", "KUBE-LOAD-BALANCER", "KUBE-FIREWALL", "KUBE-MARK-MASQ", "KUBE-MARK-DROP",
    ],
    "filter": [
      "KUBE-FORWARD", "KUBE-NODE-PORT", "KUBE-PROXY-FIREWALL", "KUBE-SOURCE-RANGES-FIREWALL", "KUBE-IPVS-FILTER", "KUBE-IPVS-OUT-FILTER",
    ],
  ]
  /// A CNI plugin may mark what is to be masqueraded by kube-proxy's chain (portmap's externalSetMarkChain), and its rules would go
  /// with the chain. What is marked so is masqueraded by our rules too.
  private static let shared: Set<String> = ["KUBE-MARK-MASQ"]
  private static let setPrefixes = [
    "KUBE-CLUSTER-IP", "KUBE-EXTERNAL-IP", "KUBE-HEALTH-CHECK-NODE-PORT", "KUBE-IPVS-IPS", "KUBE-LOAD-BALANCER", "KUBE-LOOP-BACK",
    "KUBE-NODE-PORT",
  ]

  let route: RouteConnection
  var ipvs: IPVSConnection?
  var hasInterface = false
  var servers: [ServerKey] = []
  var sets: [String] = []
  var saved: [Family: SavedRules] = [:]
  var chains: [Chain] = []

  init(_ settings: Settings) throws(BackendFault) {
    route = try LinuxKernel.routeConnection()
    hasInterface = try route.index(of: DummyInterface.foreignName) != nil
    let session = SetSession()
    let names = (try? session.names()) ?? []
    sets = names.filter { name in Self.setPrefixes.contains { name.hasPrefix($0) || name.hasPrefix("KUBE-6-" + $0.dropFirst(5)) } }.sorted()
    guard hasInterface || !sets.isEmpty else { return }
    ipvs = try? LinuxKernel.ipvsConnection()
    try findServers(settings, names, session)
    for family in Family.allCases {
      guard let rules = try? IPTables.save(family) else { continue }
      saved[family] = rules
      for (table, meant) in Self.chainNames.sorted(by: { $0.key < $1.key }) {
        // In the iptables mode each Service has chains of its own, and these belong to it.
        if rules.tables[table]?.keys.contains(where: { $0.hasPrefix("KUBE-SVC-") }) == true { continue }
        let used = rules.targets(table) { !meant.contains($0) }
        chains += rules.chains(table) { meant.contains($0) && !(Self.shared.contains($0) && used.contains($0)) }
          .map { Chain(family: family, table: table, name: $0) }
      }
    }
  }

  /// Those at addresses of its interface, and at addresses of the node with a port of its sets of node ports. Not those that a
  /// service port of ours has taken over.
  private mutating func findServers(_ settings: Settings, _ names: [String], _ session: SetSession) throws(BackendFault) {
    let addresses = try route.addresses()
    var ours: Set<SetElement> = []
    let connection = SetConnection(try LinuxKernel.netfilterConnection())
    for family in Family.allCases { ours.formUnion(try connection.elements(.frontends, family) ?? []) }
    var nodePorts: Set<String> = []
    for name in sets where name.contains("NODE-PORT") {
      let proto: UInt8 = name.contains("UDP") ? Protocol.udp : name.contains("SCTP") ? Protocol.sctp : Protocol.tcp
      for line in try session.save(name) ?? [] {
        let words = line.split(separator: " ")
        // "30080", or "192.0.2.1,sctp:30080"
        guard words.first == "add", let port = words[safe: 2]?.split(separator: ":").last else { continue }
        nodePorts.insert("\(proto) \(port)")
      }
    }
    for record in try ipvs?.servers() ?? [] {
      guard case .address(let frontend) = record.key, !ours.contains(.frontend(.frontends, frontend)) else { continue }
      let isNodePort = addresses.node.contains(frontend.address) && nodePorts.contains("\(frontend.proto) \(frontend.port)")
      if addresses.foreign.contains(frontend.address) || isNodePort, !settings.isExcluded(frontend.address) { servers.append(record.key) }
    }
    servers.sort()
  }
}
