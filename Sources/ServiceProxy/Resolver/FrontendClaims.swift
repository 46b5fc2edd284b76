/// Who holds which front end, a node's scarce good, and who waits for one.
///
/// A service port holds its cluster address or nothing, and of what else it asks for what nobody holds: who contends for an external
/// address still serves inside the cluster. A cluster address goes before whatever else names it, lest an external address takes
/// another Service, such as DNS, away from the whole cluster; then the Service that ranks first wins, whenever it comes. The loser
/// waits and is woken when its turn may have come. So what comes out, when all that were woken are settled again, depends on the
/// Services there are and not on their history.
struct FrontendClaims: Sendable {
  /// Services go by the place they have in the table.
  private struct Holder: Sendable {
    var service: Int
    /// Key of the service port.
    var port: String
    var isClusterAddress: Bool

    /// Whether another Service's claim goes before this one.
    func yields(to claim: Holder, _ precedes: (Int) -> Bool) -> Bool {
      claim.isClusterAddress == isClusterAddress ? precedes(service) : claim.isClusterAddress
    }
  }

  private var holders: [FrontendKey: Holder] = [:]
  private var waiting: [FrontendKey: Set<Int>] = [:]
  private var waitsFor: [Int: [FrontendKey]] = [:]
  /// Services that lost a front end since they were last settled.
  private var robbed: Set<Int> = []

  /// So many front ends more will be held.
  mutating func reserve(_ count: Int) { holders.reserveCapacity(holders.count + count) }

  /// The Service that holds it.
  func holder(of key: FrontendKey) -> Int? { holders.isEmpty ? nil : holders[key]?.service }

  /// Why a port did not get a front end.
  struct Conflict {
    var key: FrontendKey
    var holder: Int
    var holdingPort: String
    /// It got nothing else either.
    var isTotal: Bool
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
    // Nor does a Service that is new and meets nobody, as nearly all in a full load, concern another.
    if held.isEmpty, robbed.isEmpty, waiting.isEmpty, claimFree(wanted, for: service) { return Outcome(granted: wanted) }
    var outcome = Outcome()
    robbed.remove(service)
    stopWaiting(service)
    let before = release(held, of: service)
    for port in ResolvedServicePort.distinct(wanted) {
      let (granted, conflicts) = take(port, for: service, losers: &outcome.woken, precedes)
      outcome.conflicts += conflicts
      guard let granted else {
        // Of each, not only of the one that is named: what is told is to stay true.
        wait(service, for: port.frontends.map { FrontendKey(port, $0) })
        continue
      }
      if !conflicts.isEmpty { wait(service, for: conflicts.map(\.key)) }
      if !waiting.isEmpty {
        for frontend in granted.frontends {
          let key = FrontendKey(port, frontend)
          if before[key] == nil { outcome.woken.formUnion(waiting[key] ?? []) }
        }
      }
      outcome.granted.append(granted)
    }
    for (key, wasClusterAddress) in before {
      let isLowered = wasClusterAddress && holders[key]?.isClusterAddress == false
      if isReranked || isLowered || holders[key]?.service != service { outcome.woken.formUnion(waiting[key] ?? []) }
    }
    outcome.woken.remove(service)
    return outcome
  }

  private func claimTheSame(_ held: [ResolvedServicePort], _ wanted: [ResolvedServicePort]) -> Bool {
    guard held.count == wanted.count else { return false }
    for index in held.indices {
      let (one, other) = (held[index], wanted[index])
      guard one.key == other.key, one.frontends.count == other.frontends.count else { return false }
      for (left, right) in zip(one.frontends, other.frontends)
      where left.address != right.address || left.port != right.port || left.kind != right.kind {
        return false
      }
    }
    return true
  }

  /// Takes what is wanted, or nothing when somebody holds a part of it.
  private mutating func claimFree(_ wanted: [ResolvedServicePort], for service: Int) -> Bool {
    for index in wanted.indices {
      if index > 0, wanted[index - 1].key == wanted[index].key { return giveBack(wanted[..<index], of: service) }
      // By their places: a service port is large to copy.
      let (ipProtocol, family) = (wanted[index].ipProtocol, wanted[index].family)
      for number in wanted[index].frontends.indices {
        let key = FrontendKey(wanted[index].frontends[number], ipProtocol, family)
        let isClusterAddress = wanted[index].frontends[number].kind == .clusterIP
        let claim = Holder(service: service, port: wanted[index].key, isClusterAddress: isClusterAddress)
        guard let holder = holders.updateValue(claim, forKey: key) else { continue }
        holders[key] = holder
        return giveBack(wanted[...index], of: service)
      }
    }
    return true
  }

  private mutating func giveBack(_ ports: ArraySlice<ResolvedServicePort>, of service: Int) -> Bool {
    _ = release(ports, of: service)
    return false
  }

  /// Takes back what a Service holds; returns it, and whether it was for a cluster address.
  private mutating func release(_ held: some Sequence<ResolvedServicePort>, of service: Int) -> [FrontendKey: Bool] {
    var before: [FrontendKey: Bool] = [:]
    for port in held {
      for frontend in port.frontends {
        let key = FrontendKey(port, frontend)
        if let holder = holders[key], holder.service == service { before[key] = holder.isClusterAddress }
      }
    }
    for key in before.keys { holders[key] = nil }
    return before
  }

  /// Takes what a port can have; `nil`: nothing.
  private mutating func take(
    _ port: ResolvedServicePort, for service: Int, losers: inout Set<Int>, _ precedes: (Int) -> Bool
  ) -> (granted: ResolvedServicePort?, conflicts: [Conflict]) {
    var taken: [(key: FrontendKey, from: Holder?)] = []
    var conflicts: [Conflict] = []
    for frontend in port.frontends {
      let key = FrontendKey(port, frontend)
      let isTotal = frontend.kind == .clusterIP
      let claim = Holder(service: service, port: port.key, isClusterAddress: isTotal)
      let holder = holders.updateValue(claim, forKey: key)
      if let holder, holder.service == service || !holder.yields(to: claim, precedes) {
        holders[key] = holder
        conflicts.append(Conflict(key: key, holder: holder.service, holdingPort: holder.port, isTotal: isTotal))
        guard isTotal else { continue }
        for (key, former) in taken.reversed() { holders[key] = former }
        return (nil, conflicts.suffix(1))
      }
      if holder != nil || port.frontends.count > 1 { taken.append((key, holder)) }
    }
    for case (_, let loser?) in taken {
      losers.insert(loser.service)
      robbed.insert(loser.service)
    }
    if conflicts.isEmpty { return (port, []) }
    var granted = port
    let lost = Set(conflicts.map(\.key))
    granted.frontends.removeAll { lost.contains(FrontendKey(port, $0)) }
    return (granted, conflicts)
  }

  private mutating func wait(_ service: Int, for keys: [FrontendKey]) {
    for key in keys {
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
