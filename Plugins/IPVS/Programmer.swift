import Glibc
import PluginKit

/// Makes the kernel agree with the service ports, and remembers what it holds.
package final class Programmer {
  let executor: Executor
  package let settings: Settings
  private let isCancelled: () -> Bool
  let log: (String) -> Void

  package internal(set) var ledger = Ledger()
  package var mirror: Mirror { executor.mirror }
  package var drain: Drain { executor.drain }
  package private(set) var nodeAddresses: Set<Address> = []
  /// Some service ports are not at these yet.
  private var isBehind = false
  var marks = MarkNumbers()
  /// Service ports that are gone but for their connections, with the time of their removal.
  package internal(set) var departing: [String: UInt64] = [:]
  /// Of the state a full load replaces, to keep what the load cannot program.
  private var previous: [String: Ledger.Entry] = [:]
  private var kept = Kept()
  /// What the kernel has of service ports no load could program, as an earlier run left it; until they are programmed or removed.
  private var keptPorts: [String: Footprint] = [:]
  /// What may be other than the books say, besides what is in them.
  private var unsettled = Scope()
  package private(set) var isLoading = false
  package private(set) var isLoaded = false
  /// Service ports in one go; bounds what one failure can touch and how long cancelling takes.
  private static let portion = 500

  package init(
    _ kernel: any Kernel, settings: Settings, now: @escaping () -> UInt64 = Clock.seconds, isCancelled: @escaping () -> Bool = { false },
    log: @escaping (String) -> Void = { _ in }
  ) {
    executor = Executor(kernel, now: now)
    self.settings = settings
    self.isCancelled = isCancelled
    self.log = log
  }

  // MARK: Full load

  /// Also lays again what never changes: a full load is what the host answers damage with.
  package func beginLoad() throws(BackendFault) {
    try executor.kernel.lay()
    try refresh()
    previous.merge(ledger.entries) { $1 }
    ledger = Ledger()
    (kept, keptPorts) = (Kept(), [:])
    marks = MarkNumbers(found: mirror.marks, settings.mark, servers: mirror.servers.keys)
    isLoading = true
  }

  package func completeLoad() throws(BackendFault) {
    guard isLoading else { return }
    if executor.isStale { try refresh() }
    var departures = Scope()
    departing = [:]
    for (key, entry) in previous.sorted(by: { $0.key < $1.key }) where keptPorts[key] == nil { depart(entry, &departures) }
    let scope = Scope.everything(mirror, ledger).sparing(kept, settings)
    var faults = try executor.perform(Delta(from: mirror, to: ledger, within: scope))
    if let fault = faults[""] { throw fault }
    try executor.kernel.completeLay()
    previous = [:]
    isLoading = false
    isLoaded = true
    isBehind = false
    unsettled = Scope()
    executor.adoptDrain(ledger)
    try leave(takeHasty(&faults, departing.keys))
    noteUndone(faults, scope)
    leaveIdle(departing.keys)
  }

  // MARK: Changes

  package func apply(_ changes: [Change], failed: (String, BackendFault) -> Void) throws(BackendFault) {
    if executor.isStale, !changes.isEmpty { try heal() }
    try applyPortions(changes, failed)
  }

  private func applyPortions(_ changes: [Change], _ failed: (String, BackendFault) -> Void) throws(BackendFault) {
    let portions = Portions.split(changes, size: Self.portion) { port in
      ledger.servers.isEmpty ? [] : frontends(port).compactMap { ledger.servers[.address($0)]?.owner }
    }
    ledger.reserve(changes.count)
    executor.reserve(changes.count)
    var done = 0
    for portion in portions {
      if isCancelled() { throw BackendFault(.cancelled, "stopped between \(done) and \(changes.count) changes") }
      try applyPortion(portion, failed)
      done += portion.count
    }
  }

  private func applyPortion(_ changes: [Change], _ failed: (String, BackendFault) -> Void) throws(BackendFault) {
    var old: [String: Ledger.Entry?] = [:]
    let (marksBefore, departingBefore) = (marks, departing)
    var scope = Scope()
    executor.forgetRecent()
    do throws(BackendFault) {
      scope = try enter(changes, &old, failed)
      var faults = try converge(scope)
      try leave(takeHasty(&faults, departing.keys.filter { departingBefore[$0] == nil }))
      for key in try restore(faults, old, failed) { departing[key] = departingBefore[key] }
    } catch {
      ledger.restore(old)
      marks = marksBefore
      departing = departingBefore
      noteLost(scope)
      throw error
    }
    if !keptPorts.isEmpty, !isLoading { forgetKept(changes) }
    if !marks.isEmpty { for key in old.keys where ledger.entries[key]?.port.needsMark != true { marks.release(key) } }
    leaveIdle(departing.keys.filter { departingBefore[$0] == nil })
  }

  /// Enters changes into the books. All step back first, so that one may take what another leaves.
  /// - Returns: what they may touch.
  private func enter(
    _ changes: [Change], _ old: inout [String: Ledger.Entry?], _ failed: (String, BackendFault) -> Void
  ) throws(BackendFault) -> Scope {
    var scope = Scope()
    old.reserveCapacity(changes.count)
    for change in changes {
      let before = ledger.entries[change.key]
      if let first = old.updateValue(before, forKey: change.key) {
        old[change.key] = .some(first)
        continue
      }
      if let before {
        scope.insert(before)
        ledger.remove(change.key)
      }
      if case .removal(let key) = change {
        departing[key] = nil
        if before == nil, let kept = keptPorts[key] { scope.insert(kept, for: key) }
      }
    }
    let isEachOnce = old.count == changes.count
    var wanted: [Ledger.Entry] = []
    wanted.reserveCapacity(changes.count)
    for case .upsert(let port) in changes {
      let number = port.needsMark ? marks.claim(port.key, frontends(port)) : nil
      let footprint = footprint(port, mark: number)
      if let fault = try obstacle(port, footprint, number) {
        ledger.putBack(old[port.key] ?? nil)
        keep(footprint, port.key)
        failed(port.key, fault)
      } else {
        wanted.append(Ledger.Entry(port: port, footprint: footprint))
      }
    }
    let leaving = makeRoom(for: wanted)
    for entry in leaving {
      old[entry.port.key] = .some(entry)
      scope.insert(entry)
    }
    let refused = ledger.settle(wanted) { [old] key in (old[key] ?? nil) ?? past(key) }
    for (entry, rival) in refused {
      keep(entry.footprint, entry.port.key)
      failed(entry.port.key, rival.refusal(of: entry.port.key))
    }
    let losers = Set(refused.map(\.entry.port.key))
    if !losers.isEmpty { wanted.removeAll { losers.contains($0.port.key) } }
    scope.insert(wanted: wanted, isEachOnce: isEachOnce)
    for entry in wanted {
      if let kept = keptPorts[entry.port.key] { scope.insert(kept, for: entry.port.key) }
      executor.adopt(entry.footprint)
      scope.insertRivals(of: entry.footprint, mirror, for: entry.port.key)
      if !departing.isEmpty { departing[entry.port.key] = nil }
    }
    if isLoading { return scope }
    for entry in leaving { depart(entry, &scope) }
    for case .removal(let key) in changes { if let entry = old[key] ?? nil { depart(entry, &scope) } }
    return scope
  }

  /// What a service port had before the load.
  private func past(_ key: String) -> Ledger.Entry? { isLoading && departing[key] == nil ? previous[key] : nil }

  private func obstacle(_ port: ServicePort, _ footprint: Footprint, _ number: UInt32?) throws(BackendFault) -> BackendFault? {
    for server in footprint.servers where try executor.isForeign(server.key) {
      return Ownership.conflict(.addServer(server.key, server.shape))
    }
    if port.needsMark, number == nil { return BackendFault(.retry, "\(port.key): all \(Mark.maximum) firewall marks are taken") }
    return nil
  }

  /// A service port that cannot be programmed: its previous state stands.
  package func refuse(_ port: ServicePort) {
    keep(footprint(port), port.key)
  }

  private func keep(_ footprint: Footprint, _ key: String) {
    guard isLoading, ledger.entries[key] == nil, !ledger.putBack(past(key)) else { return }
    kept.insert(footprint, mirror)
    keptPorts[key] = footprint
  }

  private func forgetKept(_ changes: [Change]) {
    for change in changes {
      switch change {
      case .removal(let key): keptPorts[key] = nil
      case .upsert(let port): if ledger.entries[port.key] != nil { keptPorts[port.key] = nil }
      }
    }
  }

  private func frontends(_ port: ServicePort) -> [Frontend] { Footprint.frontends(port, settings, nodeAddresses: nodeAddresses) }

  private func footprint(_ port: ServicePort, mark number: UInt32? = nil) -> Footprint {
    Footprint(port, settings, nodeAddresses: nodeAddresses, markNumber: number)
  }

  // MARK: Addresses of the node, and time

  /// Node ports and what is bound follow the node's addresses. What fails stays where it is, and is tried again by the next call.
  package func takeNodeAddresses(_ addresses: Set<Address>, failed: (String, BackendFault) -> Void) throws(BackendFault) {
    guard addresses != nodeAddresses || isBehind else { return }
    nodeAddresses = addresses
    isBehind = true
    // What departs is there only for who is connected.
    let moved = ledger.entries.filter { key, entry in
      departing[key] == nil && footprint(entry.port, mark: marks[key]) != entry.footprint
    }
    var isDone = true
    // Of two that come for the same the first gets it: not a node port what another has at the address already.
    let sorted = moved.values.map(\.port).sorted { ($0.hasNodePort ? 1 : 0, $0.key) < ($1.hasNodePort ? 1 : 0, $1.key) }
    try applyPortions(sorted.map { .upsert($0) }) { key, fault in
      isDone = false
      failed(key, fault)
    }
    isBehind = !isDone
  }

  /// Removes real servers that have been drained.
  package func workOff() throws(BackendFault) {
    try executor.workOff(ledger)
    if !isLoading { try leaveDrained() }
  }

  /// Makes good what a lost answer or a failure left in doubt, without waiting for the next change.
  package func settle() throws(BackendFault) {
    if executor.isStale, isLoaded, !isLoading { try heal() }
  }

  // MARK: Steps

  private func refresh() throws(BackendFault) { nodeAddresses = try executor.refresh(ledger) }

  /// Takes note of what was not done.
  func noteUndone(_ faults: [String: BackendFault], _ scope: Scope) {
    for (key, fault) in faults { log("\(key): \(fault)") }
    if !faults.isEmpty { noteLost(scope) }
  }

  /// It is not known what was done.
  func noteLost(_ scope: Scope) {
    executor.isStale = true
    unsettled = unsettled.merging(scope)
  }

  /// Reads the kernel and makes it agree with the books as they are.
  private func heal() throws(BackendFault) {
    let addresses = nodeAddresses
    try refresh()
    let fresh = nodeAddresses
    nodeAddresses = addresses
    for entry in ledger.entries.values { executor.adopt(entry.footprint) }
    // A load that is not complete may yet want what else there is.
    let scope = isLoading ? .wanted(ledger) : Scope.wanted(ledger).merging(unsettled)
    let faults = try executor.perform(Delta(from: mirror, to: ledger, within: scope))
    for (key, fault) in faults { log("\(key): \(fault)") }
    if faults.isEmpty, !isLoading { unsettled = Scope() }
    try takeNodeAddresses(fresh) { log("\($0): \($1)") }
  }

  /// Takes the steps from what is to what shall be; where the kernel is not what we thought, looks and does it once more.
  func converge(_ scope: Scope) throws(BackendFault) -> [String: BackendFault] {
    let faults = try executor.perform(Delta(from: mirror, to: ledger, within: scope))
    guard faults.values.contains(where: { Failure.kind($0.osErrno) == .surprise && $0.status == .retry }) else { return faults }
    for (_, fault) in faults { log("the kernel's state is not what it was: \(fault)") }
    try executor.kernel.lay()
    let addresses = nodeAddresses
    try refresh()
    nodeAddresses = addresses
    for entry in ledger.entries.values { executor.adopt(entry.footprint) }
    return try executor.perform(Delta(from: mirror, to: ledger, within: isLoaded && !isLoading ? .wanted(ledger).merging(scope) : scope))
  }

  /// After a partial failure: back to what stood before, for the service ports it hit and those that took what they had.
  /// - Returns: these.
  private func restore(
    _ faults: [String: BackendFault], _ old: [String: Ledger.Entry?], _ failed: (String, BackendFault) -> Void
  ) throws(BackendFault) -> [String] {
    if faults.isEmpty { return [] }
    let displaced = ledger.displaced(by: faults.keys, old).map { key, rival in
      (key, rival.setback(of: key))
    }
    let faults = faults.merging(displaced) { fault, _ in fault }
    for (key, fault) in faults.sorted(by: { $0.key < $1.key }) where !key.isEmpty {
      log("\(key): \(fault)")
      failed(key, fault)
    }
    let hit = old.filter { faults[$0.key] != nil }
    var (back, touched) = (Scope(), Scope())
    var unknown: [Ledger.Entry] = []
    for (key, before) in hit {
      let now = ledger.entries[key]
      for entry in [now, before].compactMap(\.self) {
        touched.insert(entry)
      }
      if before == nil, let now, isLoading || keptPorts[key] != nil { unknown.append(now) }
    }
    let spared = Set(unknown.map(\.port.key))
    for (key, before) in hit where !spared.contains(key) {
      for entry in [ledger.entries[key], before].compactMap(\.self) { back.insert(entry) }
    }
    ledger.restore(hit)
    for entry in unknown {
      keep(entry.footprint, entry.port.key)
      // What a sibling wants too was not made for it when it was this one's to fail.
      back.insert(entry.footprint, for: entry.port.key, wantedBy: ledger)
    }
    var outcome = try executor.perform(Delta(undo(of: spared)))
    if !isLoading { outcome.merge(try executor.perform(Delta(from: mirror, to: ledger, within: back))) { old, _ in old } }
    noteUndone(outcome, touched)
    return hit.keys.sorted()
  }

  /// Of service ports that are known from an earlier run only, or in a load perhaps: that stays, and what was just added goes, unless
  /// another that came with them wants it too.
  private func undo(of keys: Set<String>) -> [Operation] {
    executor.recent.flatMap { steps in
      steps.operations.enumerated().compactMap { place, operation in
        keys.contains(steps.owner(place)) && !ledger.wants(operation) ? operation.undoing : nil
      }
    }
  }
}
