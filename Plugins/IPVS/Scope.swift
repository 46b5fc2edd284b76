/// Everything a set of changes may touch, and on whose behalf.
package struct Scope: Sendable {
  /// Service ports all of whose things may be touched, in the order they were named. A full load has thousands, which nobody needs to
  /// find by what they want.
  package private(set) var entries: [Ledger.Entry] = []
  /// All of these are in the books, none twice: so each thing comes once, but for what several of them want.
  package private(set) var isEachOnce = true
  package private(set) var servers: [ServerKey: String] = [:]
  package private(set) var elements: [SetElement: String] = [:]
  package private(set) var addresses: [Address: String] = [:]

  package init() {}

  /// The service port named last is the one that is told of a failure.
  package mutating func insert(_ entry: Ledger.Entry) {
    entries.append(entry)
    isEachOnce = false
  }

  /// - Parameters:
  ///   - wanted: are in the books now.
  ///   - isEachOnce: none of them is there twice.
  package mutating func insert(wanted: [Ledger.Entry], isEachOnce isOnce: Bool) {
    isEachOnce = isEachOnce && entries.isEmpty && isOnce
    entries += wanted
  }

  /// For one that is in no books. What is inserted as an entry goes before it.
  package mutating func insert(_ footprint: Footprint, for key: String) {
    isEachOnce = false
    enter(footprint, key)
  }

  private mutating func enter(_ footprint: Footprint, _ key: String) {
    for server in footprint.servers { servers[server.key] = key }
    for element in footprint.elements { elements[element] = key }
    for address in footprint.addresses { addresses[address] = key }
  }

  /// Of elements and addresses, which service ports may share, those somebody wants.
  package mutating func insert(_ footprint: Footprint, for key: String, wantedBy ledger: Ledger) {
    for element in footprint.elements where ledger.elements[element] != nil { elements[element] = key }
    for address in footprint.addresses where ledger.addresses[address] != nil { addresses[address] = key }
  }

  /// A front end that is claimed is claimed as a whole: what the sets say of it otherwise is wrong.
  package mutating func insertRivals(of footprint: Footprint, _ mirror: Mirror, for key: String) {
    for server in footprint.servers {
      guard case .address(let frontend) = server.key else { continue }
      for kind in Self.answering where mirror.count(kind, frontend.family) > 0 {
        let element = SetElement.frontend(kind, frontend)
        if mirror.elements.contains(element), elements[element] == nil { elements[element] = key }
      }
      if let mark = mirror.marks[frontend] {
        let element = SetElement.near(frontend, mark: mark)
        if elements[element] == nil { elements[element] = key }
      }
    }
  }

  private static let answering = [SetKind.refuse, .drop, .masqueradeAlways, .masqueradeOutside, .restricted]

  /// One thing by one: what is merged again and again has each once.
  package func merging(_ other: Scope) -> Scope {
    var copy = flat
    let other = other.flat
    copy.servers.merge(other.servers) { old, _ in old }
    copy.elements.merge(other.elements) { old, _ in old }
    copy.addresses.merge(other.addresses) { old, _ in old }
    return copy
  }

  private var flat: Scope {
    var copy = self
    copy.entries = []
    copy.isEachOnce = false
    for entry in entries { copy.enter(entry.footprint, entry.port.key) }
    return copy
  }

  /// All that is there and nobody wants, and all that is wanted and not there.
  package static func everything(_ mirror: Mirror, _ ledger: Ledger) -> Scope {
    var scope = Scope()
    for (key, entry) in ledger.entries {
      for server in entry.footprint.servers where !mirror.holds(server) { scope.servers[server.key] = key }
      for element in entry.footprint.elements where !mirror.elements.contains(element) { scope.elements[element] = key }
      for address in entry.footprint.addresses where !mirror.addresses.contains(address) { scope.addresses[address] = key }
    }
    for key in mirror.servers.keys where ledger.servers[key] == nil { scope.servers[key] = "" }
    // Where all that is wanted is there and there is as much as is wanted, there is nothing else.
    if !scope.elements.isEmpty || mirror.elements.count != ledger.elements.count {
      for element in mirror.elements where ledger.elements[element] == nil && !element.kind.isStatic { scope.elements[element] = "" }
    }
    if !scope.addresses.isEmpty || mirror.addresses.count != ledger.addresses.count {
      for address in mirror.addresses where ledger.addresses[address] == nil { scope.addresses[address] = "" }
    }
    return scope
  }

  /// Only what is wanted.
  package static func wanted(_ ledger: Ledger) -> Scope {
    var scope = Scope()
    scope.insert(wanted: Array(ledger.entries.values), isEachOnce: true)
    return scope
  }

  /// Without what is about these, of things and not of service ports.
  package func sparing(_ kept: Kept, _ settings: Settings) -> Scope {
    var copy = self
    copy.servers = servers.filter { key, owner in
      guard case .address(let frontend) = key, owner.isEmpty else { return true }
      return !kept.frontends.contains(frontend) && !settings.isExcluded(frontend.address)
    }
    copy.servers = copy.servers.filter { key, owner in
      guard case .mark(let mark, _) = key, owner.isEmpty else { return true }
      return !kept.marks.contains(mark)
    }
    copy.elements = elements.filter { element, owner in
      if !owner.isEmpty { return true }
      if let subject = element.subject { return !kept.frontends.contains(subject) && !settings.isExcluded(subject.address) }
      if case .address(let address) = element { return !kept.addresses.contains(address) && !settings.isExcluded(address) }
      return !kept.elements.contains(element)
    }
    copy.addresses = addresses.filter { address, owner in
      !owner.isEmpty || !kept.addresses.contains(address) && !settings.isExcluded(address)
    }
    return copy
  }
}

/// What a full load must not sweep although nobody wants it: the previous state of service ports it could not program.
package struct Kept: Sendable {
  package var frontends: Set<Frontend> = []
  package var marks: Set<UInt32> = []
  package var addresses: Set<Address> = []
  package var elements: Set<SetElement> = []

  package init() {}

  package mutating func insert(_ footprint: Footprint, _ mirror: Mirror) {
    for server in footprint.servers {
      guard case .address(let frontend) = server.key else { continue }
      frontends.insert(frontend)
      if let mark = mirror.marks[frontend] { marks.insert(mark) }
    }
    addresses.formUnion(footprint.addresses)
    elements.formUnion(footprint.elements)
  }
}
