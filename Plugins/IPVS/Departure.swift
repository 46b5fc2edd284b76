import PluginKit

/// A service port of TCP that is removed while it has connections: they go on, as they do where connection tracking alone keeps
/// them. New ones are refused, and what is left goes when nobody is connected any more, or with the last real server (see
/// `Drain`, which says when one is over). Whoever comes for one of its front ends gets it, with what drains there.
extension Footprint {
  package var emptied: Footprint {
    var copy = self
    for index in copy.servers.indices { copy.servers[index].reals = [] }
    let answered = Set(elements.compactMap { $0.kind == .refuse || $0.kind == .drop ? $0.subject : nil })
    let frontends = elements.compactMap { $0.kind == .frontends ? $0.subject : nil }
    copy.elements += frontends.filter { !answered.contains($0) }.map { .frontend(.refuse, $0) }
    return copy
  }

  /// What of it no other service port has by now.
  func without(_ heirs: [ServerKey: Ledger.Want], _ key: String) -> Footprint {
    func isTaken(_ server: ServerKey) -> Bool { heirs[server].map { $0.owner != key } ?? false }
    let taken = servers.filter { isTaken($0.key) }
    if taken.isEmpty { return self }
    var copy = self
    copy.servers.removeAll { isTaken($0.key) }
    copy.elements.removeAll { element in element.subject.map { isTaken(.address($0)) } ?? false }
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

  /// To be called when nothing of the service port is in the books any more. Where an heir has one of its front ends the others
  /// depart alone.
  func depart(_ before: Ledger.Entry, _ scope: inout Scope) {
    let key = before.port.key
    guard before.port.proto == Protocol.tcp, ledger.entries[key] == nil else { return }
    let left = before.footprint.without(ledger.servers, key)
    guard left.servers.contains(where: { mirror.servers[$0.key]?.weights.isEmpty == false }) else { return }
    let entry = Ledger.Entry(port: before.port, footprint: left.emptied)
    guard ledger.putBack(entry) else { return }
    departing[key] = executor.now()
    scope.insert(entry)
  }

  /// A client on the node has the address it connects to for its own as well. When it is refused it hears of that only by its
  /// second try, a second later: the first answer meets a socket that is at work. By then the address must not be gone.
  private static let courtesy: UInt64 = 2

  /// Removes those for good that nobody was connected to in the last minutes: they need not wait. What fails is no failure of
  /// the changes, which are made by now; it is tried again later.
  func leaveIdle(_ keys: some Sequence<String>) {
    let entries = keys.sorted().compactMap { ledger.entries[$0] }
    if entries.isEmpty { return }
    let servers = entries.flatMap { entry in entry.footprint.servers.map(\.key).filter { mirror.servers[$0] != nil } }
    do throws(BackendFault) {
      let activity = try executor.kernel.activity(Set(servers))
      try leave(
        entries.filter { entry in
          entry.footprint.servers.allSatisfy { (activity[$0.key] ?? [:]).values.allSatisfy { $0.active == 0 && $0.inactive == 0 } }
        })
    } catch {
      log("removed, but not all of it is gone yet: \(error)")
    }
  }

  /// Removes those for good whose real servers have all been drained.
  func leaveDrained() throws(BackendFault) {
    let now = executor.now()
    let over = departing.filter { key, began in
      let servers = ledger.entries[key]?.footprint.servers ?? []
      let isDrained = servers.allSatisfy { mirror.servers[$0.key]?.weights.isEmpty ?? true }
      return isDrained && now >= began + Self.courtesy || now >= began + Drain.limit
    }
    try leave(over.keys.sorted().compactMap { ledger.entries[$0] })
  }

  /// Who cannot go in peace goes at once.
  func takeHasty(_ faults: inout [String: BackendFault], _ keys: some Sequence<String>) -> [Ledger.Entry] {
    keys.filter { faults.removeValue(forKey: $0) != nil }.sorted().compactMap { ledger.entries[$0] }
  }

  /// Whatever becomes of their connections.
  func leave(_ entries: [Ledger.Entry]) throws(BackendFault) {
    if entries.isEmpty { return }
    var scope = Scope()
    for entry in entries {
      scope.insert(entry)
      ledger.remove(entry.port.key)
      departing[entry.port.key] = nil
      marks.release(entry.port.key)
    }
    do throws(BackendFault) {
      noteUndone(try converge(scope), scope)
    } catch {
      noteLost(scope)
      throw error
    }
  }
}
