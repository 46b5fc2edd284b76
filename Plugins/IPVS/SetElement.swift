import Glibc

/// The ipsets the static rules ask; each exists once for each family.
package enum SetKind: String, CaseIterable, Sendable, Hashable {
  /// All front ends. Also the record of which virtual servers are ours, which outlives the process.
  case frontends
  /// What is bound to the dummy interface.
  case addresses
  /// Front ends without endpoints.
  case refuse, drop
  case masqueradeAlways = "masq-always"
  case masqueradeOutside = "masq-outside"
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

  package func name(_ family: Family) -> String { "\(SetKind.namePrefix)\(family.rawValue)-\(rawValue)" }

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

  /// Reads a line of `ipset save`, "add NAME VALUE …"; nil: not of a set of ours, or nothing we would put there.
  package init?(saved line: some StringProtocol) {
    let words: [String] = line.split { $0 == " " }.map { String($0) }
    guard words.count >= 3, words[0] == "add", let (kind, family) = SetKind.of(words[1]) else { return nil }
    let parts: [String] = words[2].split { $0 == "," }.map { String($0) }
    guard let first = parts.first else { return nil }
    switch kind {
    case .addresses:
      guard let address = Address(first), address.family == family else { return nil }
      self = .address(address)
    case .pods, .services:
      guard let network = Network(first.contains("/") ? first : first + "/\(family.width * 8)") else { return nil }
      self = .network(kind, network)
    case .health:
      guard let port = UInt16(first) else { return nil }
      self = .healthCheck(port, family)
    default:
      guard let frontend = Self.frontend(parts), frontend.family == family else { return nil }
      self.init(kind, frontend, parts, words)
    }
  }

  private init?(_ kind: SetKind, _ frontend: Frontend, _ parts: [String], _ words: [String]) {
    switch kind {
    case .near:
      guard let place = words.firstIndex(of: "skbmark"), words.indices.contains(place + 1) else { return nil }
      let text = words[place + 1].dropFirst(2).prefix { $0 != "/" }
      guard let mark = UInt32(text, radix: 16) else { return nil }
      self = .near(frontend, mark: mark)
    case .allowed:
      guard parts.count == 3 else { return nil }
      let text = parts[2].contains("/") ? parts[2] : parts[2] + "/\(frontend.family.width * 8)"
      guard let network = Network(text) else { return nil }
      self = .allowed(frontend, network)
    case .hairpin:
      guard parts.count == 3, Address(parts[2]) == frontend.address else { return nil }
      self = .hairpin(RealServer(address: frontend.address, port: frontend.port), proto: frontend.proto)
    default: self = .frontend(kind, frontend)
    }
  }

  /// "10.96.0.1", "tcp:80"
  private static func frontend(_ parts: [String]) -> Frontend? {
    guard parts.count >= 2, let address = Address(parts[0]) else { return nil }
    let service = parts[1].split(separator: ":")
    guard service.count == 2, let proto = Protocol.number(service[0]), let port = UInt16(service[1]) else { return nil }
    return Frontend(address: address, proto: proto, port: port)
  }
}
