import PluginKit

/// Who gets a virtual server that several service ports ask for, or that one leaves to another.
extension Ledger {
  package struct Rival: Equatable, Sendable {
    package var server: ServerKey
    package var owner: String

    package func refusal(of key: String) -> BackendFault {
      BackendFault(.invalid, "\(key): virtual server \(server.title) is held by \(owner)")
    }

    package func setback(of key: String) -> BackendFault {
      BackendFault(.retry, "\(key): virtual server \(server.title) goes back to \(owner), which could not be changed")
    }
  }

  /// The holder of a virtual server that the footprint wants too.
  package func rival(of key: String, _ footprint: Footprint) -> Rival? {
    for server in footprint.servers {
      if let want = servers[server.key], want.owner != key { return Rival(server: server.key, owner: want.owner) }
    }
    return nil
  }

  /// Enters what a batch asks for; nothing of its service ports may be in the books.
  ///
  /// One that cannot have all it asks for is refused and has what it had, for which others may be refused in turn. Of those
  /// that come for the same at once the first gets it.
  /// - Parameter before: what a service port had.
  /// - Returns: who was refused, and whose rival it is.
  package mutating func settle(_ wanted: [Entry], before: (String) -> Entry?) -> [(entry: Entry, rival: Rival)] {
    if enter(wanted) { return [] }
    var refused: [(entry: Entry, rival: Rival)] = []
    var open = wanted
    while true {
      var losers = open.compactMap { entry in rival(of: entry.port.key, entry.footprint).map { (entry: entry, rival: $0) } }
      if losers.isEmpty, let clash = Self.firstClash(open) { losers = [clash] }
      if losers.isEmpty { break }
      let keys = Set(losers.map(\.entry.port.key))
      for key in keys { putBack(before(key)) }
      open.removeAll { keys.contains($0.port.key) }
      refused += losers
    }
    for entry in open { set(entry) }
    return refused
  }

  /// All, or none if one is in the way of another.
  private mutating func enter(_ wanted: [Entry]) -> Bool {
    for (place, entry) in wanted.enumerated() where !enter(entry) {
      for entry in wanted.prefix(place) { remove(entry.port.key) }
      return false
    }
    return true
  }

  private static func firstClash(_ entries: [Entry]) -> (entry: Entry, rival: Rival)? {
    var holders: [ServerKey: String] = [:]
    for entry in entries {
      let key = entry.port.key
      for server in entry.footprint.servers {
        if let holder = holders[server.key], holder != key { return (entry, Rival(server: server.key, owner: holder)) }
        holders[server.key] = key
      }
    }
    return nil
  }

  /// What a service port had it has again, unless that is somebody else's now.
  /// - Returns: whether it has.
  @discardableResult
  package mutating func putBack(_ entry: Entry?) -> Bool {
    guard let entry, rival(of: entry.port.key, entry.footprint) == nil else { return false }
    set(entry)
    return true
  }

  /// Who has to go back when these do, since it took what they had.
  /// - Parameter old: what the service ports of a batch had before it.
  package func displaced(by keys: some Sequence<String>, _ old: [String: Entry?]) -> [String: Rival] {
    var displaced: [String: Rival] = [:]
    var open = keys.sorted()
    let first = Set(open)
    while let key = open.popLast() {
      guard let before = old[key] ?? nil else { continue }
      for server in before.footprint.servers {
        guard let owner = servers[server.key]?.owner, owner != key, old[owner] != nil, !first.contains(owner), displaced[owner] == nil
        else { continue }
        displaced[owner] = Rival(server: server.key, owner: key)
        open.append(owner)
      }
    }
    return displaced
  }

  /// Sets the books back to what these service ports had; nil: nothing.
  package mutating func restore(_ old: [String: Entry?]) {
    for key in old.keys { remove(key) }
    for case .some(let entry) in old.values { set(entry) }
  }
}
