import Glibc
import PluginKit

/// Finds and removes what any version of this backend ever left. Virtual servers in "exclude-cidrs" stay.
package struct Cleanup {
  private let settings: Settings

  package init(_ settings: Settings) { self.settings = settings }

  package func list(_ owned: (String) -> Void) throws(BackendFault) {
    let findings = try Findings(settings)
    for record in findings.servers.sorted(by: { $0.key < $1.key }) { owned("virtual server \(record.key.title)") }
    if findings.hasInterface { owned("interface \(DummyInterface.name): \(findings.addresses.bound.count) addresses") }
    for set in findings.sets { owned("set \(set)") }
    for chain in findings.chains { owned("\(chain.tool) \(chain.table) \(chain.name)") }
  }

  package func remove(_ removed: (String) -> Void) throws(BackendFault) {
    let findings = try Findings(settings)
    if let ipvs = findings.ipvs {
      for record in findings.servers.sorted(by: { $0.key < $1.key }) {
        if try Self.remove(record.key, ipvs) { removed("virtual server \(record.key.title)") }
      }
    }
    for family in Family.allCases {
      guard let text = findings.saved[family]?.removal(where: { $1.hasPrefix(Rules.prefix) }) else { continue }
      try IPTables.restore(family, text)
      for chain in findings.chains where chain.family == family { removed("\(chain.tool) \(chain.table) \(chain.name)") }
    }
    for set in findings.sets { if try Self.destroy(set) { removed("set \(set)") } }
    if findings.hasInterface, try findings.route.removeLink(DummyInterface.name) { removed("interface \(DummyInterface.name)") }
  }

  /// False: there was none.
  package static func remove(_ key: ServerKey, _ ipvs: IPVSConnection) throws(BackendFault) -> Bool {
    do throws(TransportFault) {
      guard let refusal = try ipvs.perform([.removeServer(key)]).first else { return true }
      if refusal.errno == ESRCH { return false }
      throw TransportFault(.send, errno: refusal.errno)
    } catch {
      throw Failure.fault("ipvsadm -D \(key.argument)", error)
    }
  }

  /// False: there was none. The rules of the nft variant let go of their sets a moment after they are gone.
  package static func destroy(_ set: String) throws(BackendFault) -> Bool {
    for attempt in 0... {
      guard let failed = try SetSession().restore(["destroy \(set)"]) else { return true }
      if failed.words.contains("does not exist") { return false }
      // After an RCU grace period and the kernel's work behind others, which takes seconds on a machine that is busy.
      guard failed.words.contains("in use"), attempt < 500 else { throw SetSession.fault("ipset destroy \(set)", failed.words) }
      usleep(20_000)
    }
    return false
  }
}

/// What is there of ours.
private struct Findings {
  struct Chain {
    var family: Family
    var table: String
    var name: String
    var tool: String { family == .ipv4 ? "iptables" : "ip6tables" }
  }

  let route: RouteConnection
  let ipvs: IPVSConnection?
  var servers: [ServerRecord] = []
  var addresses = AddressTable()
  var hasInterface = false
  var sets: [String] = []
  var saved: [Family: SavedRules] = [:]
  var chains: [Chain] = []

  init(_ settings: Settings) throws(BackendFault) {
    route = try LinuxKernel.routeConnection()
    addresses = try route.addresses()
    hasInterface = try route.index(of: DummyInterface.name) != nil
    ipvs = try Self.orNil { () throws(BackendFault) in try LinuxKernel.ipvsConnection() }
    let names = try Self.orNil { () throws(BackendFault) in try SetSession().names() }
    sets = (names ?? []).filter { $0.hasPrefix(SetKind.namePrefix) }.sorted()
    var elements: Set<SetElement> = []
    let connection = SetConnection(try LinuxKernel.netfilterConnection())
    for set in sets {
      if let (kind, family) = SetKind.of(set) { elements.formUnion(try connection.elements(kind, family) ?? []) }
    }
    for family in Family.allCases {
      guard let rules = try Self.orNil({ () throws(BackendFault) in try IPTables.save(family) }) else { continue }
      saved[family] = rules
      for table in rules.tables.keys.sorted() {
        chains += rules.chains(table) { $0.hasPrefix(Rules.prefix) }.map { Chain(family: family, table: table, name: $0) }
      }
    }
    for record in try ipvs?.servers(by: elements) ?? []
    where Ownership.owner(of: record.key, elements: elements, settings.mark, addresses) == .ours {
      if case .address(let frontend) = record.key, settings.isExcluded(frontend.address) { continue }
      servers.append(record)
    }
  }

  /// What this machine does not have holds nothing of ours.
  private static func orNil<Value>(_ body: () throws(BackendFault) -> Value) throws(BackendFault) -> Value? {
    do throws(BackendFault) { return try body() } catch {
      if error.status == .unsupported { return nil }
      throw error
    }
  }
}
