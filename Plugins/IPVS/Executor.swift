import PluginKit

/// Takes steps in the kernel, and keeps account of what that makes of it.
final class Executor {
  let kernel: any Kernel
  let now: () -> UInt64
  private(set) var mirror = Mirror()
  private(set) var drain = Drain()
  /// The account may be wrong: read the kernel before the next change.
  var isStale = true
  /// Steps taken for the changes being applied.
  private(set) var recent: [Delta.Steps] = []

  init(_ kernel: any Kernel, now: @escaping () -> UInt64) {
    self.kernel = kernel
    self.now = now
  }

  func forgetRecent() { recent = [] }

  /// - Parameter count: of service ports that come.
  func reserve(_ count: Int) { mirror.reserve(count) }

  // MARK: What the kernel holds

  /// Reads the kernel.
  /// - Returns: the addresses of the node.
  func refresh(_ ledger: Ledger) throws(BackendFault) -> Set<Address> {
    let image = try kernel.read(known: Set(mirror.servers.keys))
    let foreign = mirror.foreign
    mirror = image.mirror
    // What was somebody else's is so still, even if a set of ours named it before that was known.
    for key in foreign where mirror.servers.removeValue(forKey: key) != nil { mirror.foreign.insert(key) }
    isStale = false
    adoptDrain(ledger)
    return image.nodeAddresses
  }

  /// Whether somebody else's virtual server is there, still.
  func isForeign(_ server: ServerKey) throws(BackendFault) -> Bool {
    guard mirror.foreign.contains(server) else { return false }
    if try kernel.holds(server) { return true }
    mirror.foreign.remove(server)
    return false
  }

  /// Takes over kube-proxy's virtual servers where we want one.
  func adopt(_ footprint: Footprint) {
    if mirror.inherited.isEmpty { return }
    for server in footprint.servers {
      guard mirror.servers[server.key] == nil, let inherited = mirror.inherited.removeValue(forKey: server.key) else { continue }
      mirror.servers[server.key] = inherited
    }
  }

  // MARK: Steps

  /// - Returns: what failed, by service port.
  func perform(_ delta: Delta) throws(BackendFault) -> [String: BackendFault] {
    var faults: [String: BackendFault] = [:]
    for phase in Operation.Phase.allCases {
      // After a failure what serves a service port must stay as it is.
      var steps = delta[phase]
      if !faults.isEmpty { steps = steps.filter { faults[steps.owner($0)] == nil || steps.owner($0).isEmpty } }
      faults.merge(try perform(steps)) { old, _ in old }
    }
    return faults
  }

  private func perform(_ steps: Delta.Steps) throws(BackendFault) -> [String: BackendFault] {
    if steps.isEmpty { return [:] }
    let refused: [RefusedStep]
    do throws(BackendFault) {
      refused = try kernel.perform(steps.operations)
    } catch {
      isStale = true
      throw BackendFault(error.status == .denied ? .denied : .retry, error.message, errno: error.osErrno)
    }
    var faults: [String: BackendFault] = [:]
    let trespasses = try leaveForeign(steps.operations, refused)
    let places = Set(refused.map(\.index)).union(trespasses)
    let taken = places.isEmpty ? steps : steps.filter { !places.contains($0) }
    recent.append(taken)
    mirror.record(taken.operations)
    drain.record(taken.operations, now: now())
    for step in refused {
      let owner = steps.owner(step.index)
      if faults[owner] == nil { faults[owner] = step.fault }
    }
    return faults
  }

  /// The kernel works steps off one by one. Where it refused a virtual server since somebody else made it meanwhile, it took the
  /// real servers that follow, for that one.
  /// - Returns: which steps these were; they are taken back.
  private func leaveForeign(_ steps: [Operation], _ refused: [RefusedStep]) throws(BackendFault) -> [Int] {
    let servers = refused.compactMap { step -> ServerKey? in
      if case .addServer(let key, _) = steps[safe: step.index] { key } else { nil }
    }
    if servers.isEmpty { return [] }
    let places = Set(refused.map(\.index))
    let trespasses = steps.enumerated().filter { place, step in
      if case .addReal(let key, _) = step { servers.contains(key) && !places.contains(place) } else { false }
    }
    if trespasses.isEmpty { return [] }
    do throws(BackendFault) {
      _ = try kernel.perform(trespasses.compactMap(\.element.undoing))
    } catch {
      isStale = true
      throw error
    }
    return trespasses.map(\.offset)
  }

  // MARK: Graceful removal

  /// What an earlier run left draining, or this one before it read the kernel again.
  func adoptDrain(_ ledger: Ledger) { drain.adopt(mirror, ledger, now: now()) }

  /// Removes real servers that have been drained.
  func workOff(_ ledger: Ledger) throws(BackendFault) {
    if drain.isEmpty { return }
    let due = drain.due(try kernel.activity(drain.servers), now: now())
    _ = try perform(Delta.Steps(due.map { .removeReal($0.server, $0.real) }))
    // A virtual server without any is what was left for their sake.
    var empty: [Operation] = []
    for server in Set(due.map(\.server))
    where mirror.servers[server]?.weights.isEmpty == true && !ledger.wants(server) {
      empty.append(.removeServer(server))
    }
    _ = try perform(Delta.Steps(empty))
  }
}
