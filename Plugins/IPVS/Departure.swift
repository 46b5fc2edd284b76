import PluginKit

/// A service port of TCP that is removed while it has connections: they go on, as they do where connection tracking alone keeps
/// them. New ones are refused, and what is left goes when nobody is connected any more, or with the last real server (see
/// `Drain`). Whoever comes for one of its front ends gets it, with what drains there.
extension Footprint {
  package var emptied: Footprint {
    var copy = self
    for index in copy.servers.indices { copy.servers[index].reals = [] }
    let answered = Set(elements.compactMap { $0.kind == .refuse || $0.kind == .drop ? $0.subject : nil })
    let frontends = elements.compactMap { $0.kind == .frontends ? $0.subject : nil }
    copy.elements += frontends.filter { !answered.contains($0) }.map { .frontend(.refuse, $0) }
    return copy
  }
}

extension Programmer {
  /// What the host knows of.
  package var servicePorts: [String: Ledger.Entry] {
    departing.isEmpty ? ledger.entries : ledger.entries.filter { departing[$0.key] == nil }
  }

  /// Those that are about to go make room.
  /// - Returns: who held something of what is wanted.
  func makeRoom(for wanted: [Ledger.Entry]) -> [Ledger.Entry] {
    if departing.isEmpty { return [] }
    let holders = Set(wanted.flatMap { entry in entry.footprint.servers.compactMap { ledger.servers[$0.key]?.owner } })
    let leaving = holders.filter { departing[$0] != nil }.sorted().compactMap { ledger.entries[$0] }
    for entry in leaving {
      ledger.remove(entry.port.key)
      departing[entry.port.key] = nil
    }
    return leaving
  }

  /// To be called when nothing of the service port is in the books any more.
  func depart(_ before: Ledger.Entry, _ scope: inout Scope) {
    let key = before.port.key
    guard before.port.proto == Protocol.tcp, ledger.entries[key] == nil else { return }
    guard before.footprint.servers.contains(where: { mirror.servers[$0.key]?.weights.isEmpty == false }) else { return }
    let entry = Ledger.Entry(port: before.port, footprint: before.footprint.emptied)
    guard ledger.putBack(entry) else { return }
    departing[key] = executor.now()
    scope.insert(entry.footprint, for: key)
  }

  /// A client on the node has the address it connects to for its own as well. When it is refused it hears of that only by its
  /// second try, a second later: the first answer meets a socket that is at work. By then the address must not be gone.
  private static let courtesy: UInt64 = 2

  /// Removes those for good that nobody is connected to.
  /// - Parameter atOnce: those that nobody was connected to in the last minutes need not wait.
  func leave(_ keys: some Sequence<String>, atOnce: Bool) throws(BackendFault) {
    let entries = keys.sorted().compactMap { ledger.entries[$0] }
    if entries.isEmpty { return }
    let servers = entries.flatMap { entry in entry.footprint.servers.map(\.key).filter { mirror.servers[$0] != nil } }
    let activity = try executor.kernel.activity(Set(servers))
    let now = executor.now()
    try leave(
      entries.filter { entry in
        let states = entry.footprint.servers.flatMap { (activity[$0.key] ?? [:]).values }
        let isLate = now >= (departing[entry.port.key] ?? 0) + Self.courtesy
        return states.allSatisfy { $0.active == 0 && (isLate || $0.inactive == 0) } && (isLate || atOnce)
      })
  }

  /// Whatever becomes of their connections.
  func leave(_ entries: [Ledger.Entry]) throws(BackendFault) {
    if entries.isEmpty { return }
    var scope = Scope()
    for entry in entries {
      scope.insert(entry.footprint, for: entry.port.key)
      ledger.remove(entry.port.key)
      departing[entry.port.key] = nil
      marks.release(entry.port.key)
    }
    noteUndone(try converge(scope), scope)
  }
}
