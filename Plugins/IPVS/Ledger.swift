/// What is wanted: all service ports, and what they ask of the kernel together.
package struct Ledger: Sendable {
  package struct Want: Equatable, Sendable {
    package var owner: String
    package var server: Footprint.Server

    package var reals: [RealServer] { server.reals }
  }

  /// A value in all but its storage: a load hands each from one collection to the next, and of a struct each of its ten arrays would
  /// be counted each time.
  package final class Entry: Equatable, Sendable {
    package let port: ServicePort
    package let footprint: Footprint

    package init(port: ServicePort, footprint: Footprint) {
      self.port = port
      self.footprint = footprint
    }

    package static func == (left: Entry, right: Entry) -> Bool {
      left === right || left.port == right.port && left.footprint == right.footprint
    }
  }

  package private(set) var entries: [String: Entry] = [:]
  package private(set) var servers: [ServerKey: Want] = [:]
  /// How many service ports want each: those of one Service share its address.
  package private(set) var elements: [SetElement: Int] = [:]
  package private(set) var addresses: [Address: Int] = [:]
  package private(set) var marks: [Frontend: UInt32] = [:]

  package init() {}

  /// Whether a virtual server is to be there, and not only for the sake of connections that exist.
  package func wants(_ server: ServerKey) -> Bool { servers[server].map { !$0.reals.isEmpty || server.standsEmpty } ?? false }

  /// Whether what a step adds is wanted.
  package func wants(_ addition: Operation) -> Bool {
    switch addition {
    case .addElement(let element): elements[element] != nil
    case .bind(let address): addresses[address] != nil
    case .addServer(let server, _): servers[server] != nil
    case .addReal(let server, let real): servers[server]?.reals.contains(real) == true
    default: false
    }
  }

  package mutating func set(_ entry: Entry) {
    remove(entry.port.key)
    for server in entry.footprint.servers { servers[server.key] = Want(owner: entry.port.key, server: server) }
    note(entry)
  }

  /// Enters one of which nothing is in the books, unless another has one of its virtual servers.
  /// - Returns: whether it did.
  package mutating func enter(_ entry: Entry) -> Bool {
    guard entries[entry.port.key] == nil else { return false }
    for (place, server) in entry.footprint.servers.enumerated() {
      guard let holder = servers.updateValue(Want(owner: entry.port.key, server: server), forKey: server.key) else { continue }
      servers[server.key] = holder
      for server in entry.footprint.servers.prefix(place) { servers[server.key] = nil }
      return false
    }
    note(entry)
    return true
  }

  /// For a first load: what grows bit by bit is hashed several times.
  package mutating func reserve(_ count: Int) {
    guard entries.isEmpty, count > 1 else { return }
    entries.reserveCapacity(count)
    servers.reserveCapacity(count)
    elements.reserveCapacity(2 * count)
    addresses.reserveCapacity(count)
  }

  private mutating func note(_ entry: Entry) {
    entries[entry.port.key] = entry
    for element in entry.footprint.elements {
      elements[element, default: 0] += 1
      if case .near(let frontend, let mark) = element { marks[frontend] = mark }
    }
    for address in entry.footprint.addresses { addresses[address, default: 0] += 1 }
  }

  package mutating func remove(_ key: String) {
    guard let entry = entries.removeValue(forKey: key) else { return }
    for server in entry.footprint.servers where servers[server.key]?.owner == key { servers[server.key] = nil }
    for element in entry.footprint.elements {
      Self.release(&elements, element)
      if case .near(let frontend, let mark) = element, marks[frontend] == mark { marks[frontend] = nil }
    }
    for address in entry.footprint.addresses { Self.release(&addresses, address) }
  }

  private static func release<Key: Hashable>(_ counts: inout [Key: Int], _ key: Key) {
    let count = (counts[key] ?? 0) - 1
    counts[key] = count > 0 ? count : nil
  }
}
