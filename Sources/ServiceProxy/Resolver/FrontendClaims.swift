/// Who holds which front end, a node's scarce good, and who waits for one.
///
/// A service port holds all its front ends or none. Among Services the one that ranks first wins, whenever it comes; the
/// loser waits and is woken when its turn may have come. So what comes out, when all that were woken are settled again, depends on
/// the Services there are and not on their history.
struct FrontendClaims: Sendable {
  /// Services go by the place they have in the table.
  private struct Holder: Sendable {
    var service: Int
    /// Key of the service port.
    var port: String
  }

  private var holders: [FrontendKey: Holder] = [:]
  private var waiting: [FrontendKey: Set<Int>] = [:]
  private var waitsFor: [Int: [FrontendKey]] = [:]
  /// Services that lost a front end since they were last settled.
  private var robbed: Set<Int> = []

  /// So many front ends more will be held.
  mutating func reserve(_ count: Int) { holders.reserveCapacity(holders.count + count) }

  /// Why a port got nothing.
  struct Conflict {
    var key: FrontendKey
    var holder: Int
    var holdingPort: String
  }

  struct Outcome {
    var granted: [ResolvedServicePort] = []
    var conflicts: [Conflict] = []
    /// Services that lost something, or may get something now.
    var woken: Set<Int> = []
  }

  /// Settles what one Service gets.
  ///
  /// - Parameters:
  ///   - held: its service ports that were granted when it was last settled.
  ///   - wanted: sorted by key, as `held`; of ports that go by one key the first counts.
  ///   - isReranked: whether its rank has changed since.
  ///   - precedes: whether it ranks before another Service.
  mutating func settle(
    _ service: Int, held: [ResolvedServicePort], wanted: [ResolvedServicePort], isReranked: Bool, precedes: (Int) -> Bool
  ) -> Outcome {
    // Other endpoints alone, which most changes are of, leave the claims as they are.
    let isUncontended = (robbed.isEmpty || !robbed.contains(service)) && (waitsFor.isEmpty || waitsFor[service] == nil)
    if !isReranked, isUncontended, claimTheSame(held, wanted) { return Outcome(granted: wanted) }
    var outcome = Outcome()
    robbed.remove(service)
    stopWaiting(service)
    let before = release(held, of: service)
    for port in ResolvedServicePort.distinct(wanted) {
      if let conflict = take(port, for: service, losers: &outcome.woken, precedes) {
        outcome.conflicts.append(conflict)
        // Of each, not only of the one that is named: what is told is to stay true.
        wait(service, for: port)
        continue
      }
      if !waiting.isEmpty {
        for frontend in port.frontends {
          let key = FrontendKey(port, frontend)
          if !before.contains(key) { outcome.woken.formUnion(waiting[key] ?? []) }
        }
      }
      outcome.granted.append(port)
    }
    for key in before where isReranked || holders[key]?.service != service { outcome.woken.formUnion(waiting[key] ?? []) }
    outcome.woken.remove(service)
    return outcome
  }

  private func claimTheSame(_ held: [ResolvedServicePort], _ wanted: [ResolvedServicePort]) -> Bool {
    guard held.count == wanted.count else { return false }
    for index in held.indices {
      let (one, other) = (held[index], wanted[index])
      guard one.key == other.key, one.frontends.count == other.frontends.count else { return false }
      for (left, right) in zip(one.frontends, other.frontends) where left.address != right.address || left.port != right.port {
        return false
      }
    }
    return true
  }

  /// Takes back what a Service holds; returns it.
  private mutating func release(_ held: [ResolvedServicePort], of service: Int) -> Set<FrontendKey> {
    var before: Set<FrontendKey> = []
    for port in held {
      for frontend in port.frontends {
        let key = FrontendKey(port, frontend)
        if holders[key]?.service == service { before.insert(key) }
      }
    }
    for key in before { holders[key] = nil }
    return before
  }

  /// Takes all front ends of a port, or none: then the conflict says why.
  private mutating func take(
    _ port: ResolvedServicePort, for service: Int, losers: inout Set<Int>, _ precedes: (Int) -> Bool
  ) -> Conflict? {
    var taken: [(key: FrontendKey, from: Holder?)] = []
    for frontend in port.frontends {
      let key = FrontendKey(port, frontend)
      let holder = holders.updateValue(Holder(service: service, port: port.key), forKey: key)
      if let holder, holder.service == service || !precedes(holder.service) {
        holders[key] = holder
        for (key, former) in taken.reversed() { holders[key] = former }
        return Conflict(key: key, holder: holder.service, holdingPort: holder.port)
      }
      if holder != nil || port.frontends.count > 1 { taken.append((key, holder)) }
    }
    for case (_, let loser?) in taken {
      losers.insert(loser.service)
      robbed.insert(loser.service)
    }
    return nil
  }

  private mutating func wait(_ service: Int, for port: ResolvedServicePort) {
    for frontend in port.frontends {
      let key = FrontendKey(port, frontend)
      waiting[key, default: []].insert(service)
      waitsFor[service, default: []].append(key)
    }
  }

  private mutating func stopWaiting(_ service: Int) {
    if waitsFor.isEmpty { return }
    for key in waitsFor.removeValue(forKey: service) ?? [] {
      waiting[key]?.remove(service)
      if waiting[key]?.isEmpty == true { waiting[key] = nil }
    }
  }
}
