/// Who holds which front end, a node's scarce good, and who waits for one.
///
/// A service port holds all its front ends or none. Among Services the one that ranks first wins, whenever it comes; the
/// loser waits and is woken when its turn may have come. Settled Service by Service in the order of their ranks, what comes
/// out depends on the Services there are and not on their history.
struct FrontendClaims: Sendable {
  private struct Holder: Sendable {
    var service: String
    /// Key of the service port.
    var port: String
  }

  private var holders: [FrontendKey: Holder] = [:]
  private var waiting: [FrontendKey: Set<String>] = [:]
  private var waitsFor: [String: [FrontendKey]] = [:]

  struct Outcome {
    var granted: [ResolvedServicePort] = []
    var conflicts: [ServiceIssue] = []
    /// Services that lost something, or may get something now.
    var woken: Set<String> = []
  }

  /// Settles what one Service gets.
  ///
  /// - Parameters:
  ///   - held: its service ports that were granted when it was last settled.
  ///   - isReranked: whether its rank has changed since.
  ///   - precedes: whether it ranks before another Service, by name.
  mutating func settle(
    _ name: String, held: some Sequence<ResolvedServicePort>, wanted: [ResolvedServicePort], isReranked: Bool,
    precedes: (String) -> Bool
  ) -> Outcome {
    var outcome = Outcome()
    stopWaiting(name)
    let before = Set(held.flatMap { FrontendKey.keys(of: $0) }.filter { holders[$0]?.service == name })
    for key in before { holders[key] = nil }
    for port in wanted {
      let keys = FrontendKey.keys(of: port)
      if let (key, holder) = blocker(of: keys, for: name, precedes) {
        outcome.conflicts.append(conflict(key, holder, name))
        // Of each, not only of the one that is named: what is told is to stay true.
        wait(name, for: keys)
        continue
      }
      for key in keys {
        let loser = holders.updateValue(Holder(service: name, port: port.key), forKey: key)
        if let loser { outcome.woken.insert(loser.service) }
        if !before.contains(key) { outcome.woken.formUnion(waiting[key] ?? []) }
      }
      outcome.granted.append(port)
    }
    for key in before where isReranked || holders[key]?.service != name { outcome.woken.formUnion(waiting[key] ?? []) }
    outcome.woken.remove(name)
    return outcome
  }

  private func blocker(of keys: [FrontendKey], for name: String, _ precedes: (String) -> Bool) -> (FrontendKey, Holder)? {
    for key in keys {
      if let holder = holders[key], holder.service == name || !precedes(holder.service) { return (key, holder) }
    }
    return nil
  }

  private func conflict(_ key: FrontendKey, _ holder: Holder, _ name: String) -> ServiceIssue {
    let owner = holder.service == name ? "another port of this Service, \(holder.port)" : "Service \(holder.service)"
    return ServiceIssue(fieldPath: "spec.ports", reason: "\(key) is held by \(owner); port not programmed")
  }

  private mutating func wait(_ name: String, for keys: [FrontendKey]) {
    for key in keys { waiting[key, default: []].insert(name) }
    waitsFor[name, default: []] += keys
  }

  private mutating func stopWaiting(_ name: String) {
    for key in waitsFor.removeValue(forKey: name) ?? [] {
      waiting[key]?.remove(name)
      if waiting[key]?.isEmpty == true { waiting[key] = nil }
    }
  }
}
