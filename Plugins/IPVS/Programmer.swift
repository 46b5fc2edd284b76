import Glibc
import PluginKit

/// Makes the kernel agree with the service ports, and remembers what it holds.
package final class Programmer {
  private let kernel: any Kernel
  package let settings: Settings
  private let now: () -> UInt64
  private let isCancelled: () -> Bool
  private let log: (String) -> Void

  package private(set) var ledger = Ledger()
  package private(set) var mirror = Mirror()
  package private(set) var drain = Drain()
  package private(set) var nodeAddresses: Set<Address> = []
  private var marks = MarkNumbers()
  /// Of the state a full load replaces, to keep what the load cannot program.
  private var previous: [String: Ledger.Entry] = [:]
  private var kept = Kept()
  /// The books may be wrong: read the kernel before the next change.
  private var isStale = true
  /// Done for the changes being applied.
  private var recent: [Delta.Step] = []
  package private(set) var isLoading = false
  package private(set) var isLoaded = false
  /// Service ports in one go; bounds what one failure can touch and how long cancelling takes.
  private static let portion = 500

  package init(
    _ kernel: any Kernel, settings: Settings, now: @escaping () -> UInt64 = Clock.seconds, isCancelled: @escaping () -> Bool = { false },
    log: @escaping (String) -> Void = { _ in }
  ) {
    self.kernel = kernel
    self.settings = settings
    self.now = now
    self.isCancelled = isCancelled
    self.log = log
  }

  // MARK: Full load

  /// Also lays again what never changes: a full load is what the host answers damage with.
  package func beginLoad() throws(BackendFault) {
    try kernel.lay()
    try refresh()
    previous.merge(ledger.entries) { $1 }
    ledger = Ledger()
    kept = Kept()
    marks = MarkNumbers(found: mirror.marks, settings.mark, servers: mirror.servers.keys)
    isLoading = true
  }

  package func completeLoad() throws(BackendFault) {
    guard isLoading else { return }
    if isStale { try refresh() }
    let scope = Scope.everything(mirror, ledger).sparing(kept, settings)
    let failed = try perform(Delta(from: mirror, to: ledger, within: scope))
    if failed[""] != nil, let fault = failed[""] { throw fault }
    previous = [:]
    isLoading = false
    isLoaded = true
    drain.adopt(mirror, ledger, now: now())
  }

  // MARK: Changes

  package func apply(_ changes: [Change], failed: (String, BackendFault) -> Void) throws(BackendFault) {
    if isStale, !changes.isEmpty { try heal() }
    var rest = changes[...]
    while !rest.isEmpty {
      if isCancelled() { throw BackendFault(.cancelled, "stopped between \(changes.count - rest.count) and \(changes.count) changes") }
      try applyPortion(rest.prefix(Self.portion), failed)
      rest = rest.dropFirst(Self.portion)
    }
  }

  private func applyPortion(_ changes: ArraySlice<Change>, _ failed: (String, BackendFault) -> Void) throws(BackendFault) {
    var scope = Scope()
    var old: [String: Ledger.Entry?] = [:]
    let marksBefore = marks
    recent = []
    for case .removal(let key) in changes { take(key, nil, &scope, &old) }
    for case .upsert(let port) in changes {
      let number = port.needsMark ? marks.claim(port.key, frontends(of: port)) : nil
      let footprint = Footprint(port, settings, nodeAddresses: nodeAddresses, markNumber: number)
      if let fault = try obstacle(port, footprint, number) {
        keep(footprint, port.key, old[port.key] ?? nil)
        failed(port.key, fault)
        continue
      }
      take(port.key, Ledger.Entry(port: port, footprint: footprint), &scope, &old)
      if !port.needsMark { marks.release(port.key) }
    }
    do throws(BackendFault) {
      let faults = try converge(scope)
      for (key, fault) in faults.sorted(by: { $0.key < $1.key }) where !key.isEmpty {
        log("\(key): \(fault)")
        failed(key, fault)
      }
      try restore(faults, old, scope)
    } catch {
      for (key, entry) in old {
        if let entry { ledger.set(entry) } else { ledger.remove(key) }
      }
      marks = marksBefore
      throw error
    }
  }

  private func obstacle(_ port: ServicePort, _ footprint: Footprint, _ number: UInt32?) throws(BackendFault) -> BackendFault? {
    for server in footprint.servers where mirror.foreign.contains(server.key) {
      if try kernel.holds(server.key) { return Ownership.conflict(.addServer(server.key, server.shape)) }
      mirror.foreign.remove(server.key)
    }
    if port.needsMark, number == nil { return BackendFault(.retry, "\(port.key): all \(Mark.maximum) firewall marks are taken") }
    guard let rival = ledger.rival(of: port.key, footprint) else { return nil }
    return BackendFault(.invalid, "\(port.key): virtual server \(rival.server.title) is held by \(rival.owner)")
  }

  /// Enters a change into the books and the scope; `nil`: the service port goes.
  private func take(_ key: String, _ entry: Ledger.Entry?, _ scope: inout Scope, _ old: inout [String: Ledger.Entry?]) {
    let before = ledger.entries[key]
    if old[key] == nil { old[key] = .some(before) }
    if let before { scope.insert(before.footprint, for: key) }
    if let entry {
      adopt(entry.footprint)
      scope.insert(entry.footprint, for: key)
      scope.insertRivals(of: entry.footprint, mirror, for: key)
      ledger.set(entry)
    } else {
      ledger.remove(key)
      marks.release(key)
    }
  }

  /// A service port that cannot be programmed: its previous state stands.
  package func refuse(_ port: ServicePort) {
    keep(Footprint(port, settings, nodeAddresses: nodeAddresses, markNumber: nil), port.key, ledger.entries[port.key])
  }

  private func keep(_ footprint: Footprint, _ key: String, _ entry: Ledger.Entry?) {
    guard isLoading, entry == nil else { return }
    if let before = previous[key], ledger.rival(of: key, before.footprint) == nil {
      ledger.set(before)
    } else {
      kept.insert(footprint, mirror)
    }
  }

  /// Takes over kube-proxy's virtual servers where we want one.
  private func adopt(_ footprint: Footprint) {
    for server in footprint.servers {
      guard mirror.servers[server.key] == nil, let inherited = mirror.inherited.removeValue(forKey: server.key) else { continue }
      mirror.servers[server.key] = inherited
    }
  }

  private func frontends(of port: ServicePort) -> [Frontend] {
    Footprint(port, settings, nodeAddresses: nodeAddresses, markNumber: nil).servers.compactMap { server in
      if case .address(let frontend) = server.key { frontend } else { nil }
    }
  }

  // MARK: Addresses of the node, and time

  /// Node ports and what is bound follow the node's addresses.
  package func takeNodeAddresses(_ addresses: Set<Address>) throws(BackendFault) {
    guard addresses != nodeAddresses else { return }
    nodeAddresses = addresses
    var scope = Scope()
    for (key, entry) in ledger.entries {
      let footprint = Footprint(entry.port, settings, nodeAddresses: addresses, markNumber: marks[key])
      if footprint == entry.footprint { continue }
      scope.insert(entry.footprint, for: key)
      scope.insert(footprint, for: key)
      ledger.set(Ledger.Entry(port: entry.port, footprint: footprint))
    }
    for (key, fault) in try converge(scope) { log("\(key): \(fault)") }
  }

  /// Removes real servers that have been drained.
  package func workOff() throws(BackendFault) {
    if drain.isEmpty { return }
    let due = drain.due(try kernel.activity(drain.servers), now: now())
    let steps = due.map { Delta.Step(operation: .removeReal($0.server, $0.real), owner: "") }
    _ = try perform(steps)
    // A virtual server without any is what was left for their sake.
    var empty: [Delta.Step] = []
    for server in Set(due.map(\.server))
    where mirror.servers[server]?.weights.isEmpty == true && ledger.servers[server]?.reals.isEmpty != false {
      empty.append(Delta.Step(operation: .removeServer(server), owner: ""))
    }
    _ = try perform(empty)
  }

  // MARK: Steps

  /// Reads the kernel.
  private func refresh() throws(BackendFault) {
    let image = try kernel.read(known: Set(mirror.servers.keys))
    let foreign = mirror.foreign
    mirror = image.mirror
    // What was somebody else's is so still, even if a set of ours named it before that was known.
    for key in foreign where mirror.servers.removeValue(forKey: key) != nil { mirror.foreign.insert(key) }
    nodeAddresses = image.nodeAddresses
    isStale = false
    drain.adopt(mirror, ledger, now: now())
  }

  /// Reads the kernel and makes it agree with the books as they are.
  private func heal() throws(BackendFault) {
    let addresses = nodeAddresses
    try refresh()
    let fresh = nodeAddresses
    nodeAddresses = addresses
    for entry in ledger.entries.values { adopt(entry.footprint) }
    let faults = try perform(Delta(from: mirror, to: ledger, within: .wanted(ledger)))
    for (key, fault) in faults { log("\(key): \(fault)") }
    try takeNodeAddresses(fresh)
  }

  /// Takes the steps from what is to what shall be; where the kernel is not what we thought, looks and does it once more.
  private func converge(_ scope: Scope) throws(BackendFault) -> [String: BackendFault] {
    let faults = try perform(Delta(from: mirror, to: ledger, within: scope))
    guard faults.values.contains(where: { Failure.kind($0.osErrno) == .surprise && $0.status == .retry }) else { return faults }
    for (_, fault) in faults { log("the kernel's state is not what it was: \(fault)") }
    try kernel.lay()
    let addresses = nodeAddresses
    try refresh()
    nodeAddresses = addresses
    for entry in ledger.entries.values { adopt(entry.footprint) }
    return try perform(Delta(from: mirror, to: ledger, within: isLoaded && !isLoading ? .wanted(ledger).merging(scope) : scope))
  }

  /// After a partial failure: back to what stood before, for the service ports it hit.
  private func restore(_ faults: [String: BackendFault], _ old: [String: Ledger.Entry?], _ scope: Scope) throws(BackendFault) {
    var back = Scope()
    var undo: [Delta.Step] = []
    for key in faults.keys {
      guard let before = old[key] else { continue }
      if let now = ledger.entries[key] { back.insert(now.footprint, for: key) }
      if let before {
        back.insert(before.footprint, for: key)
        ledger.set(before)
      } else {
        // Not known before, or from an earlier run only: that stays, and what was just added goes.
        undo += recent.compactMap { step in
          step.owner == key ? step.operation.undoing.map { Delta.Step(operation: $0, owner: "") } : nil
        }
        if isLoading, let entry = ledger.entries[key] { kept.insert(entry.footprint, mirror) }
        ledger.remove(key)
        marks.release(key)
      }
    }
    let delta = isLoading ? Delta(undo) : Delta(from: mirror, to: ledger, within: back)
    for (_, fault) in try perform(delta) {
      log("going back failed: \(fault)")
      isStale = true
    }
  }

  private func perform(_ delta: Delta) throws(BackendFault) -> [String: BackendFault] {
    var faults: [String: BackendFault] = [:]
    for phase in Operation.Phase.allCases {
      // After a failure what serves a service port must stay as it is.
      let steps = (delta.phases[phase] ?? []).filter { $0.owner.isEmpty || faults[$0.owner] == nil }
      faults.merge(try perform(steps)) { old, _ in old }
    }
    return faults
  }

  private func perform(_ steps: [Delta.Step]) throws(BackendFault) -> [String: BackendFault] {
    if steps.isEmpty { return [:] }
    let refused: [RefusedStep]
    do throws(BackendFault) {
      refused = try kernel.perform(steps.map(\.operation))
    } catch {
      isStale = true
      throw BackendFault(error.status == .denied ? .denied : .retry, error.message, errno: error.osErrno)
    }
    var faults: [String: BackendFault] = [:]
    let places = Set(refused.map(\.index))
    for (place, step) in steps.enumerated() where !places.contains(place) {
      recent.append(step)
      mirror.record(step.operation)
      drain.record(step.operation, now: now())
    }
    for step in refused {
      let owner = steps[safe: step.index]?.owner ?? ""
      if faults[owner] == nil { faults[owner] = step.fault }
    }
    return faults
  }
}
