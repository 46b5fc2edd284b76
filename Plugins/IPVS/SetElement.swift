/// The ipsets the static rules ask; each exists once for each family.
package enum SetKind: Int, CaseIterable, Sendable, Hashable {
  /// All front ends. Also the record of which virtual servers are ours, which outlives the process.
  case frontends
  /// What is bound to the dummy interface.
  case addresses
  /// Front ends without endpoints.
  case refuse, drop
  case masqueradeAlways
  case masqueradeOutside
  /// Front ends with a second virtual server for near clients, and its mark.
  case near
  /// Front ends that serve only some sources, and which.
  case restricted
  case allowed
  /// Endpoints on this node, which may reach themselves.
  case hairpin
  /// Networks of pods.
  case pods
  /// Ranges of cluster addresses.
  case services
  /// TCP ports on which the node answers load balancers' health checks.
  case health

  package static let namePrefix = "swiftlet-ipvs-"

  /// In the name of its sets. Not its raw value: a kind is hashed with each element, and then its text would be.
  private var word: String {
    switch self {
    case .frontends: "frontends"
    case .addresses: "addresses"
    case .refuse: "refuse"
    case .drop: "drop"
    case .masqueradeAlways: "masq-always"
    case .masqueradeOutside: "masq-outside"
    case .near: "near"
    case .restricted: "restricted"
    case .allowed: "allowed"
    case .hairpin: "hairpin"
    case .pods: "pods"
    case .services: "services"
    case .health: "health"
    }
  }

  package func name(_ family: Family) -> String {
    let names = family == .ipv4 ? Self.names4 : Self.names6
    return names[safe: rawValue] ?? Self.name(self, family)
  }

  /// Made once, since each element is sent with one.
  private static let names4 = allCases.map { name($0, .ipv4) }
  private static let names6 = allCases.map { name($0, .ipv6) }

  private static func name(_ kind: SetKind, _ family: Family) -> String { "\(namePrefix)\(family.rawValue)-\(kind.word)" }

  package static func of(_ name: some StringProtocol) -> (SetKind, Family)? {
    for family in Family.allCases {
      for kind in allCases where kind.name(family) == name { return (kind, family) }
    }
    return nil
  }

  /// How `ipset create` makes it. Enough room for 100,000 Services of 10 endpoints; the memory comes with the elements.
  package func creation(_ family: Family) -> String {
    // As kube-proxy's KUBE-HEALTH-CHECK-NODE-PORT; a bitmap of ports is of no family.
    if self == .health { return "create \(name(family)) bitmap:port range 0-65535" }
    let type =
      switch self {
      case .frontends, .masqueradeAlways, .masqueradeOutside, .restricted: "hash:ip,port"
      case .refuse, .drop: "hash:ip,port"
      case .addresses: "hash:ip"
      case .near: "hash:ip,port"
      case .allowed: "hash:ip,port,net"
      case .hairpin: "hash:ip,port,ip"
      case .pods, .services: "hash:net"
      case .health: "bitmap:port"
      }
    let extensions =
      switch self {
      case .refuse, .drop: " counters"
      case .near: " skbinfo"
      default: ""
      }
    return "create \(name(family)) \(type) family \(family.setName) maxelem 1048576\(extensions)"
  }

  /// Filled once, at start.
  package var isStatic: Bool { self == .pods || self == .services }
}

/// One element of one of our sets.
package enum SetElement: Hashable, Sendable {
  case frontend(SetKind, Frontend)
  case address(Address)
  case near(Frontend, mark: UInt32)
  case allowed(Frontend, Network)
  case hairpin(RealServer, proto: UInt8)
  case network(SetKind, Network)
  case healthCheck(UInt16, Family)

  /// Elements too are hashed some dozen times each in a full load.
  package func hash(into hasher: inout Hasher) {
    let place = UInt8(truncatingIfNeeded: kind.rawValue)
    switch self {
    case .frontend(_, let frontend), .near(let frontend, _): frontend.hash(into: &hasher, among: place)
    case .address(let address): hasher.combine(address)
    case .allowed(let frontend, let network):
      frontend.hash(into: &hasher, among: place)
      hasher.combine(network)
    case .hairpin(let server, let proto):
      hasher.combine(server)
      hasher.combine(proto)
    case .network(_, let network): hasher.combine(network)
    case .healthCheck(let port, let family):
      hasher.combine(port)
      hasher.combine(family)
    }
  }

  package var kind: SetKind {
    switch self {
    case .frontend(let kind, _), .network(let kind, _): kind
    case .address: .addresses
    case .near: .near
    case .allowed: .allowed
    case .hairpin: .hairpin
    case .healthCheck: .health
    }
  }

  package var family: Family {
    switch self {
    case .frontend(_, let frontend), .near(let frontend, _), .allowed(let frontend, _): frontend.family
    case .address(let address): address.family
    case .hairpin(let server, _): server.address.family
    case .network(_, let network): network.family
    case .healthCheck(_, let family): family
    }
  }

  /// The front end it is about.
  package var subject: Frontend? {
    switch self {
    case .frontend(_, let frontend), .near(let frontend, _), .allowed(let frontend, _): frontend
    case .address, .hairpin, .network, .healthCheck: nil
    }
  }

  package var setName: String { kind.name(family) }

  /// The element itself, without what hangs on it.
  package var value: String {
    switch self {
    case .frontend(_, let frontend), .near(let frontend, _): frontend.setText
    case .address(let address): address.text
    case .allowed(let frontend, let network): "\(frontend.setText),\(network.text)"
    case .hairpin(let server, let proto):
      "\(server.address.text),\(Protocol.name(proto)):\(server.port),\(server.address.text)"
    case .network(_, let network): network.text
    case .healthCheck(let port, _): "\(port)"
    }
  }

  /// As `ipset restore` takes it.
  package var addition: String {
    var line = "add \(setName) \(value)"
    if case .near(_, let mark) = self { line += " skbmark 0x\(String(mark, radix: 16))/0xffffffff" }
    return line
  }

  package var removal: String { "del \(setName) \(value)" }
}
